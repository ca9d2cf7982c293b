// Brings the GOV.UK Frontend components to life. A file of its own, because a strict content
// security policy (script-src 'self') refuses inline scripts.
import { initAll } from './govuk-frontend.min.js'
import { keepWhatIsTyped } from './keep.js'
import { dropExpandedFromRadios } from './radios.js'
import { warnBeforeSignOut } from './timeout.js'

const SUPPORTED = 'govuk-frontend-supported'

// A host that runs GOV.UK Frontend itself has set this class in its own template by now, and
// starts the components on our pages too; starting them twice is an error.
if (!document.body.classList.contains(SUPPORTED)) {
  document.body.classList.add('js-enabled', SUPPORTED)
  initAll()
}

const section = document.querySelector('[data-s2s-keep]')
dropExpandedFromRadios(document.querySelector('.s2s') || section)
keepWhatIsTyped(section)
warnBeforeSignOut(document.querySelector('[data-s2s-timeout]'))
