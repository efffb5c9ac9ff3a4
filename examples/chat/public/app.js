// The chat page: signing in over the proxied API, everything else over the websocket.
import { Swindon } from './swindon.js'
import { $ } from './dom.js'
import { openRooms } from './rooms.js'
import { openPizza } from './pizza.js'

const ACTIVE = 120 // seconds for which what the user does keeps them active
const TELL = 60_000 // milliseconds: how often the page tells that the user does something

let swindon = null

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
    // After an ended session the page begins anew, rather than on top of the old one.
    if (swindon) location.reload()
    else await start()
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
  const me = (await api('/api/me')).user_id
  $('login').hidden = true
  $('chat').hidden = false
  $('me').textContent = me
  swindon = new Swindon('/ws', { onState: showState, active: ACTIVE })
  openRooms(swindon, me)
  $('pizza').open = matchMedia('(min-width: 56rem)').matches
  openPizza(swindon, me)
  tellActivity()
  $('text').focus()
}

// The backend answers the authorization with the name of the node that asked: it comes with `hello`.
function showState(state, detail) {
  $('state').dataset.state = state
  $('state-text').textContent = { active: 'connected to ', connecting: 'connecting …', waiting: 'reconnecting …', closed: 'closed' }[state]
  $('node').textContent = state === 'active' ? detail.node : ''
  if (state === 'waiting' && [401, 403].includes(detail.refusal?.status)) {
    swindon.close()
    showLogin('Your session has ended. Please sign in again.')
  }
}

// Reading and typing keep a user active, too, not only sending.
function tellActivity() {
  let told = Date.now()
  const tell = () => {
    if (Date.now() - told < TELL || swindon.state !== 'active') return
    told = Date.now()
    swindon.call('chat.here').catch(() => {})
  }
  for (const event of ['keydown', 'pointerdown', 'wheel']) addEventListener(event, tell, { passive: true })
}

start().catch(() => showLogin())
