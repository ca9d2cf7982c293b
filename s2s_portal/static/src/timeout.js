// Warns some minutes before the sign-on ends, and lets the person stay. Asking the server how long is
// left does not count as use, and another tab may have been used meanwhile: so it is always asked.
const WARNING = 300 // seconds before the end
const ASK_EVERY = 20 // seconds, while the warning shows

const inMinutes = (seconds) => {
  const minutes = Math.max(1, Math.round(seconds / 60))
  return minutes === 1 ? '1 minute' : `${minutes} minutes`
}

export function warnBeforeSignOut (banner) {
  if (!banner) return
  const words = banner.querySelector('[data-s2s-timeout-words]')
  const stay = banner.querySelector('button')

  const say = (text) => {
    // A screen reader reads the banner again only when its words change.
    if (words.textContent !== text) words.textContent = text
    banner.hidden = false
  }

  const ended = () => {
    say('You have been signed out.')
    stay.hidden = true
  }

  const ask = async (query = '') => {
    try {
      const answer = await fetch(banner.dataset.s2sAsk + query, { redirect: 'manual', headers: { Accept: 'application/json' } })
      if (!answer.ok) return ended()
      const { seconds_left: left } = await answer.json()
      if (left === null) return
      if (left === 0) return ended()
      if (left > WARNING) banner.hidden = true
      else say(`You will be signed out in ${inMinutes(left)}.`)
      wait(left)
    } catch {
      wait(0) // the network is away for a moment
    }
  }

  const wait = (left) => {
    setTimeout(ask, 1000 * (left > WARNING ? left - WARNING : ASK_EVERY))
  }

  stay.addEventListener('click', () => ask('?stay=yes'))
  wait(Number(banner.dataset.s2sTimeout))
}
