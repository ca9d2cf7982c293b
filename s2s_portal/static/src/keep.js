// Keeps what is typed into a section of the referral form, on the server and for its writer alone:
// nothing of a child stays in the browser. Without JavaScript the form works as it is.
const PAUSE = 3000 // milliseconds after the last key
const RETRY = 15000 // while the network is away

export function keepWhatIsTyped (form) {
  if (!form) return
  const status = form.querySelector('[data-s2s-kept]')
  let waiting = null
  let sending = false
  let changed = false

  const say = (text) => {
    // A screen reader reads the words again only when they change.
    if (status.textContent !== text) status.textContent = text
  }

  const wait = (milliseconds) => {
    clearTimeout(waiting)
    waiting = setTimeout(keep, milliseconds)
  }

  const keep = async () => {
    if (!changed || sending) return
    sending = true
    changed = false
    try {
      const answer = await fetch(form.dataset.s2sKeep, {
        method: 'POST',
        body: new URLSearchParams(new FormData(form)),
        headers: { Accept: 'application/json' },
        keepalive: document.visibilityState === 'hidden',
        redirect: 'manual'
      })
      if (!answer.ok) throw new Error(answer.status)
      const { kept_at: at } = await answer.json()
      say(`Kept at ${at}. Select “Save and continue” to save it.`)
    } catch {
      changed = true
      say('What you typed could not be kept just now. It is still on this page, and we keep trying.')
      wait(RETRY)
    } finally {
      sending = false
    }
  }

  const note = () => {
    changed = true
    wait(PAUSE)
  }

  form.addEventListener('input', note)
  form.addEventListener('change', note)
  form.addEventListener('submit', () => {
    clearTimeout(waiting)
    changed = false
  })
  // Another tab, another program, or the lid closed: do not wait for the pause.
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') keep()
  })
}
