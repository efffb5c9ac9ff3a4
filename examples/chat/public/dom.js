// What the parts of the page have in common.

export const $ = (id) => document.getElementById(id)

/** Makes an element: its properties, then its children. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties)
  made.append(...children)
  return made
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))
