// Rooms: their list, titles and unread counts come from the lattice `chat.rooms`, which all devices of a user see alike;
// what is said comes by a topic for each room.
import { $, element, pause } from './dom.js'
import { openPeople } from './people.js'

const MAX_SHOWN = 200 // messages kept per room
const MAX_IDS = 500 // ids of messages remembered per room, to tell a repeated one
const TRIES = 6 // how often a message is sent before the page gives up

let swindon, lattice, people
let me = ''
let current = ''
const rooms = new Map() // room -> {button, badge, messages: [element], pending, ids, marked, marking}

export function openRooms(connection, user) {
  swindon = connection
  me = user
  people = openPeople(swindon, me)
  let lost = false
  lattice = swindon.lattice('chat.rooms', changed, {
    init: ['chat.enter'],
    onReady: (entered) => {
      greet(entered)
      if (lost) note(`Connected again, to ${$('node').textContent}. Messages of the meantime are not shown.`)
      lost = true
    },
    onError: (error) => note(`Could not enter: ${error.message}`),
  })
  $('send').addEventListener('submit', submit)
  document.addEventListener('visibilitychange', () => read(current))
}

// --- the list -----------------------------------------------------------------------------------------------------

function changed(keys) {
  for (const name of keys) {
    if (!rooms.has(name)) enter(name)
    const title = titleOf(name)
    rooms.get(name).title.textContent = title
    if (name === current) $('room-title').textContent = title
  }
  const place = (name) => lattice.value(name, 'info_register')?.place ?? Infinity
  const sorted = [...rooms.keys()].sort((a, b) => place(a) - place(b))
  const items = sorted.map((name) => rooms.get(name).button.parentElement)
  if (items.some((item, i) => $('rooms').children[i] !== item)) $('rooms').replaceChildren(...items)
  if (!current) show(sorted[0])
  people.follow(sorted.flatMap((name) => [...membersOf(name)]))
  people.show(membersOf(current))
  read(current)
  drawCounts()
}

const titleOf = (name) => lattice.value(name, 'info_register')?.title ?? name
const membersOf = (name) => lattice.value(name, 'people_set') ?? new Set()

// Each backend counts the messages that it has passed on, under a name of its own: a counter of a lattice keeps the
// greatest value, so that two who add to the same one would hide each other's messages. The sum is what was said.
function total(name) {
  let sum = 0
  for (const [variable, value] of lattice.entries(name)) if (/^sent_\w+_counter$/.test(variable)) sum += value
  return sum
}

const readUpTo = (name) => Math.max(lattice.value(name, 'read_counter') ?? 0, rooms.get(name).marked)
const unread = (name) => Math.max(0, total(name) - readUpTo(name))

function drawCounts() {
  let sum = 0
  for (const [name, { badge }] of rooms) {
    const count = name === current && !document.hidden ? 0 : unread(name)
    sum += count
    badge.hidden = count === 0
    badge.textContent = count > 999 ? '999+' : count
    badge.setAttribute('aria-label', `${count} unread`)
  }
  document.title = `${sum ? `(${sum}) ` : ''}Pizza chat · Swindon`
}

// Tells the backend that the user has seen a room, if they look at it: their other devices learn it from the lattice.
async function read(name) {
  const room = rooms.get(name)
  if (!room || name !== current || document.hidden || room.marking) return
  room.marking = true
  while (name === current && unread(name) > 0) await mark(name)
  room.marking = false
}

async function mark(name) {
  const upTo = total(name)
  try {
    await swindon.call('chat.mark_read', [name, upTo], {}, { active: null })
    rooms.get(name).marked = upTo
  } catch {
    await pause(2000)
  }
}

// What was said before somebody's first visit is not news to them.
function greet() {
  for (const name of lattice.keys()) {
    if (lattice.value(name, 'read_counter') === undefined && total(name) > 0) mark(name).then(drawCounts)
  }
}

// --- one room -----------------------------------------------------------------------------------------------------

function enter(name) {
  const title = element('span', { textContent: name })
  const badge = element('span', { className: 'badge', hidden: true })
  const button = element('button', { type: 'button' }, title, badge)
  button.dataset.room = name
  button.addEventListener('click', () => show(name))
  $('rooms').append(element('li', {}, button))
  rooms.set(name, { button, title, badge, messages: [], pending: new Map(), ids: new Set(), marked: 0, marking: false })
  swindon.subscribe(`rooms.${name}`, (message) => received(name, message), {
    init: ['chat.join', [name]],
    onError: (error) => note(`Could not join: ${error.message}`, name),
  })
}

function show(name) {
  current = name
  const room = rooms.get(name)
  for (const other of rooms.values()) other.button.setAttribute('aria-current', String(other === room))
  room.button.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  $('room-title').textContent = titleOf(name)
  $('messages').replaceChildren(...room.messages)
  $('messages').scrollTop = $('messages').scrollHeight
  people.show(membersOf(name))
  read(name)
  drawCounts()
}

function add(name, item) {
  const room = rooms.get(name)
  room.messages.push(item)
  if (room.messages.length > MAX_SHOWN) room.messages.shift().remove()
  if (name === current) {
    const list = $('messages')
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80
    list.append(item)
    if (atEnd) list.scrollTop = list.scrollHeight
  }
}

function note(text, name = current) {
  if (rooms.has(name)) add(name, element('li', { className: 'note', textContent: text }))
}

function bubble({ author, text, at }) {
  const date = new Date(at)
  const time = element('time', { dateTime: date.toISOString(), textContent: date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) })
  return element('li', { className: author === me ? 'mine' : '' }, element('b', { textContent: author }), time, element('p', { textContent: text }))
}

function received(name, message) {
  const room = rooms.get(name)
  if (room.ids.has(message.id)) return
  room.ids.add(message.id)
  if (room.ids.size > MAX_IDS) room.ids.delete(room.ids.values().next().value)
  const waiting = room.pending.get(message.id)
  if (waiting) return waiting.classList.remove('pending') // our own one: it has reached the room
  add(name, bubble(message))
}

// --- sending ------------------------------------------------------------------------------------------------------

async function submit(event) {
  event.preventDefault()
  const text = $('text').value.trim()
  if (!text || !current) return
  $('text').value = ''
  const room = rooms.get(current)
  const id = crypto.getRandomValues(new Uint32Array(3)).join('-')
  const item = bubble({ author: me, text, at: Date.now() })
  item.classList.add('pending')
  room.pending.set(id, item)
  add(current, item)
  try {
    await send(current, text, id)
  } catch (error) {
    item.classList.add('failed')
    item.append(element('p', { textContent: `Not sent: ${error.message}` }))
  }
  item.classList.remove('pending')
  room.pending.delete(id)
}

// A call is not repeated by itself: whether the backend did the work is not known. A message may be: whoever gets it twice
// knows it by its id.
async function send(room, text, id) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await swindon.call('chat.send_message', [room, text], { id })
    } catch (error) {
      const again = ['disconnected', 'timeout'].includes(error.kind) || error.status >= 500
      if (!again || attempt === TRIES || swindon.state === 'closed') throw error
      await pause(300 * attempt)
    }
  }
}
