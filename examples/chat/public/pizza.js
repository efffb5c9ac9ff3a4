// Pizza: calls that a backend serves over NATS, and the state of one's orders, pushed by a topic.
import { $, element } from './dom.js'

let swindon
const orders = new Map() // order id -> element

export function openPizza(connection, me) {
  swindon = connection
  $('orders').replaceChildren(element('li', { className: 'empty', textContent: 'None yet.' }))
  swindon.subscribe(`orders.${me}`, showOrder, { init: ['pizza.watch'], onReady: () => showMenu().catch(() => {}) })
}

async function showMenu() {
  const { pizzas } = await swindon.call('pizza.menu', [], {}, { active: null })
  // Rebuilt only if it is another one: somebody may be on a button with the keyboard.
  const names = pizzas.map(({ name }) => name).join()
  if ($('menu').dataset.names === names) return
  $('menu').dataset.names = names
  $('menu').replaceChildren(...pizzas.map(({ name, title }) => {
    const button = element('button', { type: 'button', textContent: 'Order', ariaLabel: `Order ${title}` })
    button.dataset.pizza = name
    button.addEventListener('click', () => order(name, button))
    return element('li', {}, title, button)
  }))
}

async function order(name, button) {
  button.disabled = true
  try {
    showOrder(await swindon.call('pizza.order', [name]))
  } catch (error) {
    showOrder({ order: `failed-${Date.now()}`, title: name, status: `failed: ${error.message}`, step: 0, done: true })
  } finally {
    button.disabled = false
    button.focus()
  }
}

function showOrder({ order, title, status, step, done }) {
  let item = orders.get(order)
  if (!item) {
    $('orders').querySelector('.empty')?.remove()
    item = element('li', {}, element('span'), element('span'))
    $('orders').prepend(item)
    orders.set(order, item)
  }
  // The push with a later status may come before the call's result: never step back.
  if (Number(item.dataset.step ?? -1) > step) return
  item.dataset.step = step
  item.firstChild.textContent = title
  item.lastChild.textContent = status
  item.classList.toggle('done', Boolean(done))
  const open = [...orders.values()].filter((element) => !element.classList.contains('done')).length
  $('pizza-count').hidden = open === 0
  $('pizza-count').textContent = open
}
