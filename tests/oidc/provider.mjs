// OpenID providers for the tests: the certified npm package oidc-provider, one for each line of
// configuration, in one process. The first line on standard input configures them all; each later
// line changes the accounts or the keys of one, as happens to a real provider while it runs.
import http from 'node:http';
import readline from 'node:readline';

import Provider from 'oidc-provider';

const ENTRA = ['tid', 'oid', 'roles', 'acct', 'ver', 'hasgroups', 'idp'];

function page(title, body) {
  return `<!DOCTYPE html><html lang="en"><head><title>${title}</title></head><body><h1>${title}</h1>${body}</body></html>`;
}

class Running {
  constructor(settings) {
    Object.assign(this, settings);
    this.prefix = new URL(this.issuer).pathname.replace(/\/$/, '');
    this.make();
  }

  make() {
    this.provider = new Provider(this.issuer, {
      clients: [{
        client_id: this.client_id,
        client_secret: this.client_secret,
        redirect_uris: this.redirect_uris,
        post_logout_redirect_uris: this.post_logout_redirect_uris,
        id_token_signed_response_alg: this.keys.keys[0].alg,
      }],
      jwks: this.keys,
      cookies: { keys: ['for tests only'] },
      scopes: ['openid', 'profile', 'email', 'organisation'],
      claims: {
        openid: ['sub', ...ENTRA],
        profile: ['name', 'given_name', 'family_name', 'preferred_username'],
        email: ['email'],
        organisation: ['organisation', 'organisations'],
      },
      conformIdTokenClaims: this.claims_from_userinfo,
      interactions: { url: (_ctx, interaction) => `${this.prefix}/interaction/${interaction.uid}` },
      findAccount: (_ctx, id) => this.accounts[id] && {
        accountId: id,
        claims: () => ({ sub: id, ...this.accounts[id] }),
      },
      async loadExistingGrant(ctx) {
        const grant = new ctx.oidc.provider.Grant({
          clientId: ctx.oidc.client.clientId,
          accountId: ctx.oidc.session.accountId,
        });
        grant.addOIDCScope(ctx.oidc.params.scope);
        await grant.save();
        return grant;
      },
      features: {
        devInteractions: { enabled: false },
        rpInitiatedLogout: {
          logoutSource: (ctx, form) => {
            ctx.body = page('Sign out here too?', `${form}<button type="submit" form="op.logoutForm" name="logout" value="yes">Yes, sign me out</button>`);
          },
        },
      },
      renderError: (ctx, out) => { ctx.body = page('Provider error', `<pre>${JSON.stringify(out)}</pre>`); },
    });
    this.answer = this.provider.callback();
  }

  async handle(request, response) {
    request.originalUrl = request.url;
    request.url = request.url.slice(this.prefix.length) || '/';
    const found = /^\/interaction\/([\w-]+)(?:\/as\/([\w%-]+))?$/.exec(request.url);
    if (!found) return this.answer(request, response);
    const [, uid, account] = found;
    if (request.method === 'POST' && account) {
      const result = account === 'nobody'
        ? { error: 'access_denied', error_description: 'not today' }
        : { login: { accountId: decodeURIComponent(account) } };
      return this.provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
    }
    const people = [...Object.keys(this.accounts), 'nobody'].map((id) => `<form method="post" action="${this.prefix}/interaction/${uid}/as/${encodeURIComponent(id)}"><button>Be ${id}</button></form>`);
    response.setHeader('Content-Type', 'text/html; charset=utf-8');
    return response.end(page('Who are you?', people.join('')));
  }
}

const running = {};
const lines = readline.createInterface({ input: process.stdin });
let first = true;
for await (const line of lines) {
  const told = JSON.parse(line);
  if (first) {
    first = false;
    for (const settings of told) {
      const one = new Running(settings);
      running[settings.name] = one;
      await new Promise((listening) => {
        http.createServer((request, response) => {
          Promise.resolve(one.handle(request, response)).catch((error) => {
            response.statusCode = 500;
            response.end(String(error));
          });
        }).listen(settings.port, '127.0.0.1', listening);
      });
    }
  } else {
    const { name, ...changed } = told;
    Object.assign(running[name], changed);
    running[name].make();
  }
  console.log('done');
}
process.exit(0);
