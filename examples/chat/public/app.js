// The chat page: signing in over the proxied API, rooms and pizza orders over the websocket.
import { Swindon } from './swindon.js'

const MAX_SHOWN = 200 // messages kept per room
const $ = (id) => document.getElementById(id)

let swindon = null
let me = ''
let current = ''
const rooms = new Map() // room -> {title, messages: [element], unread, guard}
const orders = new Map() // order id -> element

// --- signing in ---------------------------------------------------------------------------------------------------

async function api(path, options) {
  const reply = await fetch(path, options)
  const body = await reply.json().catch(() => ({}))
  if (!reply.ok) throw new Error(body.message ?? `${reply.status} ${reply.statusText}`)
  return body
}

function showLogin(message = '') {
  $('chat').hidden = true
  $('login').hidden = false
  $('login-error').textContent = message
  $('name').focus()
}

$('login-form').addEventListener('submit', async (event) => {
  event.preventDefault()
  try {
    await api('/api/login', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ name: $('name').value.trim() }) })
    await start()
  } catch (error) {
    showLogin(error.message)
  }
})

$('logout').addEventListener('click', async () => {
  await api('/api/logout', { method: 'POST' }).catch(() => {})
  swindon.close()
  location.reload()
})

async function start() {
  me = (await api('/api/me')).user_id
  const list = (await api('/api/rooms')).rooms
  $('login').hidden = true
  $('chat').hidden = false
  $('me').textContent = me
  swindon = new Swindon('/ws', { onState: showState })
  for (const { name, title } of list) enter(name, title)
  show(list[0].name)
  $('pizza').open = matchMedia('(min-width: 56rem)').matches
  watchOrders()
  $('text').focus()
}

function showState(state, detail) {
  $('state').dataset.state = state
  $('state-text').textContent = { active: 'connected', connecting: 'connecting …', waiting: 'reconnecting …', closed: 'closed' }[state]
  if (state === 'waiting' && [401, 403].includes(detail.refusal?.status)) {
    swindon.close()
    showLogin('Your session has ended. Please sign in again.')
  }
}

// --- rooms --------------------------------------------------------------------------------------------------------

function enter(name, title) {
  const button = document.createElement('button')
  button.type = 'button'
  button.dataset.room = name
  button.append(title)
  const badge = button.appendChild(document.createElement('span'))
  badge.className = 'badge'
  badge.hidden = true
  button.addEventListener('click', () => show(name))
  $('rooms').appendChild(document.createElement('li')).append(button)
  const room = { title, button, badge, messages: [], unread: 0, pending: new Map() }
  rooms.set(name, room)
  let lost = false
  room.guard = swindon.subscribe(`rooms.${name}`, (message) => received(name, message), {
    init: ['chat.join', [name]],
    deinit: ['chat.leave', [name]],
    onReady: () => {
      if (lost) note(name, 'Connected again. Messages of the meantime are not shown.')
      lost = true
    },
    onError: (error) => note(name, `Could not join: ${error.message}`),
  })
}

function show(name) {
  current = name
  const room = rooms.get(name)
  room.unread = 0
  for (const other of rooms.values()) {
    other.button.setAttribute('aria-current', String(other === room))
    other.badge.hidden = other.unread === 0
    other.badge.textContent = other.unread
  }
  $('room-title').textContent = room.title
  $('messages').replaceChildren(...room.messages)
  $('messages').scrollTop = $('messages').scrollHeight
}

function add(name, element) {
  const room = rooms.get(name)
  room.messages.push(element)
  if (room.messages.length > MAX_SHOWN) room.messages.shift().remove()
  if (name === current) {
    const list = $('messages')
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80
    list.append(element)
    if (atEnd) list.scrollTop = list.scrollHeight
  }
}

function note(name, text) {
  const li = document.createElement('li')
  li.className = 'note'
  li.textContent = text
  add(name, li)
}

function bubble({ author, text, at }) {
  const li = document.createElement('li')
  const who = li.appendChild(document.createElement('b'))
  who.textContent = author
  const time = li.appendChild(document.createElement('time'))
  const date = new Date(at)
  time.dateTime = date.toISOString()
  time.textContent = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  li.appendChild(document.createElement('p')).textContent = text
  if (author === me) li.className = 'mine'
  return li
}

function received(name, message) {
  const room = rooms.get(name)
  const waiting = room.pending.get(message.id)
  if (waiting) {
    // Our own message coming back: it has reached the room.
    waiting.classList.remove('pending')
    room.pending.delete(message.id)
    return
  }
  add(name, bubble(message))
  if (name !== current) {
    room.unread++
    room.badge.hidden = false
    room.badge.textContent = room.unread
  }
}

$('send').addEventListener('submit', async (event) => {
  event.preventDefault()
  const text = $('text').value.trim()
  if (!text) return
  $('text').value = ''
  const name = current
  const room = rooms.get(name)
  const id = crypto.getRandomValues(new Uint32Array(3)).join('-')
  const li = bubble({ author: me, text, at: Date.now() })
  li.classList.add('pending')
  room.pending.set(id, li)
  add(name, li)
  try {
    await swindon.call('chat.send_message', [name, text], { id })
    li.classList.remove('pending')
  } catch (error) {
    room.pending.delete(id)
    li.classList.remove('pending')
    li.classList.add('failed')
    li.appendChild(document.createElement('p')).textContent = `Not sent: ${error.message}`
  }
})

// --- pizza --------------------------------------------------------------------------------------------------------

function watchOrders() {
  $('orders').replaceChildren(Object.assign(document.createElement('li'), { className: 'empty', textContent: 'None yet.' }))
  swindon.subscribe(`orders.${me}`, showOrder, { init: ['pizza.watch'], onReady: () => showMenu() })
}

async function showMenu() {
  const { pizzas } = await swindon.call('pizza.menu')
  $('menu').replaceChildren(
    ...pizzas.map(({ name, title }) => {
      const li = document.createElement('li')
      li.append(title)
      const button = li.appendChild(document.createElement('button'))
      button.type = 'button'
      button.textContent = 'Order'
      button.dataset.pizza = name
      button.setAttribute('aria-label', `Order ${title}`)
      button.addEventListener('click', () => order(name, button))
      return li
    }),
  )
}

async function order(name, button) {
  button.disabled = true
  try {
    showOrder(await swindon.call('pizza.order', [name]))
  } catch (error) {
    showOrder({ order: `failed-${Date.now()}`, title: name, status: `failed: ${error.message}`, step: 0 })
  } finally {
    button.disabled = false
    button.focus()
  }
}

function showOrder({ order, title, status, step, done }) {
  let li = orders.get(order)
  if (!li) {
    $('orders').querySelector('.empty')?.remove()
    li = document.createElement('li')
    li.append(document.createElement('span'), document.createElement('span'))
    $('orders').prepend(li)
    orders.set(order, li)
  }
  // The push with a later status may come before the call's result: never step back.
  if (Number(li.dataset.step ?? -1) > step) return
  li.dataset.step = step
  li.firstChild.textContent = title
  li.lastChild.textContent = status
  li.classList.toggle('done', Boolean(done))
  const open = [...orders.values()].filter((element) => !element.classList.contains('done')).length
  $('pizza-count').hidden = open === 0
  $('pizza-count').textContent = open
}

start().catch(() => showLogin())
