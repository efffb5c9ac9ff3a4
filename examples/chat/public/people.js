// The people of a room, each with a dot: active, inactive or offline. That comes from the lattice `swindon.user`, which the
// gateway itself fills; the backend only says whom this connection watches.
import { $, element, pause } from './dom.js'

const MAX_SHOWN = 100 // people shown in a room; the others are counted
const MAX_WATCHED = 500 // people watched by one page
const ORDER = ['active', 'inactive', 'offline']

export function openPeople(swindon, me) {
  const watched = new Set()
  let shown = new Set()
  const presence = swindon.lattice('swindon.user', draw, { init: () => ['chat.watch', [[...watched]]] })
  const stateOf = (name) => presence.value(name, 'status_register') ?? 'offline'

  /** Watches these people, too. */
  function follow(names) {
    const fresh = [...new Set(names)].filter((name) => name !== me && !watched.has(name)).slice(0, MAX_WATCHED - watched.size)
    for (const name of fresh) watched.add(name)
    if (fresh.length > 0) watch(fresh)
  }

  // When the connection is lost meanwhile, the next one begins with all of them.
  async function watch(names) {
    while (swindon.state === 'active') {
      try {
        return await swindon.call('chat.watch', [names], {}, { active: null })
      } catch {
        await pause(2000)
      }
    }
  }

  /** Shows the people of a room. */
  function show(names) {
    shown = names
    draw()
  }

  function draw() {
    const others = [...shown].filter((name) => name !== me)
    const rank = (name) => ORDER.indexOf(stateOf(name))
    others.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    const items = others.slice(0, MAX_SHOWN).map((name) => {
      const dot = element('span', { className: 'dot', ariaHidden: 'true' })
      const item = element('li', { title: `${name} is ${stateOf(name)}` }, dot, name, element('span', { className: 'hidden', textContent: `, ${stateOf(name)}` }))
      item.dataset.user = name
      item.dataset.presence = stateOf(name)
      return item
    })
    if (others.length > MAX_SHOWN) items.push(element('li', { textContent: `and ${others.length - MAX_SHOWN} more` }))
    if (items.length === 0) items.push(element('li', { className: 'empty', textContent: 'Nobody else has come yet.' }))
    $('people').replaceChildren(...items)
  }

  return { follow, show }
}
