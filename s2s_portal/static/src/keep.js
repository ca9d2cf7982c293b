// Keeps what is typed into a form, on the server and for its writer alone: nothing of a child stays in
// the browser. Without JavaScript the form works as it is.
const PAUSE = 3000 // milliseconds after the last key
const RETRY = 15000 // while the network is away
const PATIENCE = 10000 // for an answer
const AWAY = 'What you typed could not be kept just now. It is still on this page, and we keep trying.'

export function keepWhatIsTyped (form) {
  if (!form) return
  const status = form.querySelector('[data-s2s-kept]')
  const save = form.dataset.s2sSave || 'Save and continue'
  let waiting = null
  let sending = null // the request under way
  let changed = false
  let away = false // the last request met no server
  let leaving = false // the form itself is being sent

  const say = (text) => {
    // A screen reader reads the words again only when they change.
    if (status.textContent !== text) status.textContent = text
  }

  const wait = (milliseconds) => {
    clearTimeout(waiting)
    waiting = setTimeout(keep, milliseconds)
  }

  const send = async () => {
    changed = false
    away = true
    try {
      const answer = await fetch(form.dataset.s2sKeep, {
        method: 'POST',
        body: new URLSearchParams(new FormData(form)),
        headers: { Accept: 'application/json' },
        keepalive: document.visibilityState === 'hidden',
        redirect: 'manual',
        signal: AbortSignal.timeout(PATIENCE)
      })
      away = false
      if (!answer.ok) throw new Error(answer.status)
      const { kept_at: at } = await answer.json()
      say(`Kept at ${at}. Select “${save}” to save it.`)
    } catch {
      changed = true
      say(AWAY)
      wait(RETRY)
    }
  }

  const keep = async () => {
    if (!changed || sending) return
    sending = send()
    await sending
    sending = null
  }

  const note = () => {
    changed = true
    wait(PAUSE)
  }

  // A form that says so is sent only once what is typed has reached the server: where the line is
  // down, the browser would show an error page and forget it all.
  const keepFirst = async (submitter) => {
    clearTimeout(waiting)
    form.setAttribute('aria-busy', 'true')
    if (sending) await sending
    await keep()
    if (away) {
      form.removeAttribute('aria-busy')
      say(`There is no connection, so nothing has been sent. ${AWAY} Then select “${save}” again.`)
      return
    }
    changed = false
    leaving = true
    form.requestSubmit(submitter)
  }

  form.addEventListener('input', note)
  form.addEventListener('change', note)
  form.addEventListener('submit', (event) => {
    if (leaving) return
    clearTimeout(waiting)
    if ('s2sKeepFirst' in form.dataset && (changed || sending)) {
      event.preventDefault()
      if (!form.hasAttribute('aria-busy')) keepFirst(event.submitter)
      return
    }
    changed = false
  })
  window.addEventListener('pageshow', () => {
    leaving = false
    form.removeAttribute('aria-busy')
  })
  window.addEventListener('online', keep)
  // What no server has yet is not left behind without a question.
  window.addEventListener('beforeunload', (event) => {
    if (changed && away) event.preventDefault()
  })
  // Another tab, another program, or the lid closed: do not wait for the pause.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') keep()
  })
}
