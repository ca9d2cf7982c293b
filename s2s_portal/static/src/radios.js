// GOV.UK Frontend says on a radio button whether the questions below it show (aria-expanded), which
// ARIA does not allow on one: the questions come next in the page, so nothing is lost without it.
const NAME = 'aria-expanded'

export function dropExpandedFromRadios (form) {
  if (!form) return
  const drop = () => {
    for (const radio of form.querySelectorAll(`input[type="radio"][${NAME}]`)) radio.removeAttribute(NAME)
  }
  new MutationObserver(drop).observe(form, { attributes: true, attributeFilter: [NAME], subtree: true })
  drop()
}
