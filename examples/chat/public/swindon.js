// A small browser client for Swindon's websocket protocol `v1.swindon-lattice+json`.
//
//   const swindon = new Swindon('/ws')
//   await swindon.call('chat.send_message', ['lobby', 'hi'])          // a call, as a promise
//   const guard = swindon.subscribe('rooms.lobby', show, {init: ['chat.join', ['lobby']], deinit: ['chat.leave', ['lobby']]})
//   guard.close()
//   const rooms = swindon.lattice('chat.rooms', (keys) => draw(keys), {init: ['chat.enter']})
//   rooms.value('lobby', 'title_register')                            // state that every device of the user sees alike
//
// It reconnects by itself (with jitter, so that a thousand browsers do not come back in the same instant) and repeats
// the `init` calls of everything that is open: a connection that was lost took its subscriptions and lattices with it.
// What came over a lattice stays, and what comes again is joined into it: it never goes backwards.

const PROTOCOL = 'v1.swindon-lattice+json'
const DELAYS = [0.2, 1, 2, 5, 10, 20, 30] // seconds before the 1st, 2nd, … attempt in a row; the last one repeats
const STABLE = 10_000 // milliseconds after which a connection counts as a good one, and the delays start anew
const CALL_TIMEOUT = 40_000 // milliseconds; above the gateway's own limits, which answer first
const INIT_TRIES = 10 // how often an init call is made on one connection while the answer is a 5xx
const INIT_PAUSE = 1000 // milliseconds between these tries, on average

/** What a call fails with. `kind` is the gateway's error_kind, or 'disconnected' or 'timeout'. */
export class CallError extends Error {
  constructor(kind, meta, data) {
    super(typeof data === 'string' ? data : data?.message ?? `${kind}${meta?.http_error ? ' ' + meta.http_error : ''}`)
    this.name = 'CallError'
    this.kind = kind
    this.status = meta?.http_error
    this.data = data
  }
}

/**
 * Joins the data of a lattice frame into a state, and returns the keys that are new or have changed. A state is a Map of
 * keys to Maps of variables. A variable's name ends in its type: of counters the greater wins, sets grow, of registers
 * `[version, value]` the strictly greater version wins. A key without variables exists, too.
 */
export function merge(state, data) {
  const changed = new Set()
  for (const [key, variables] of Object.entries(data)) {
    if (!state.has(key)) changed.add(key)
    const known = state.get(key) ?? new Map()
    state.set(key, known)
    for (const [name, value] of Object.entries(variables)) {
      const old = known.get(name)
      const joined = join(name, old, value)
      if (joined === old) continue
      known.set(name, joined)
      changed.add(key)
    }
  }
  return changed
}

function join(name, old, value) {
  if (name.endsWith('_counter')) return old === undefined || value > old ? value : old
  if (name.endsWith('_register')) return old === undefined || value[0] > old[0] ? value : old
  if (!name.endsWith('_set')) return old
  return old && value.every((member) => old.has(member)) ? old : new Set([...(old ?? []), ...value])
}

/** What is known of one namespace; made by Swindon.lattice. */
class Lattice {
  #state

  constructor(state, guard) {
    this.#state = state
    this.close = guard.close
  }

  /** The names of the keys that this user may see. */
  keys() {
    return [...this.#state.keys()]
  }

  /** The variables of a key as [name, value], in no order. */
  entries(key) {
    return [...(this.#state.get(key)?.keys() ?? [])].map((name) => [name, this.value(key, name)])
  }

  /** A variable: the number of a counter, the Set of a set, the value of a register; undefined when nothing is known. */
  value(key, name) {
    const value = this.#state.get(key)?.get(name)
    return name.endsWith('_register') ? value?.[1] : value
  }
}

export class Swindon {
  #url
  #socket = null
  #state = 'connecting' // connecting | active | waiting | closed
  #attempt = 0
  #opened = 0
  #timer = null
  #nextId = 1
  #calls = new Map() // request id -> {resolve, reject, timer}
  #queue = [] // calls made while there is no connection: sent after hello
  #subscriptions = new Map() // topic -> Set of guards
  #lattices = new Map() // namespace -> {state, guards}
  #onstate
  #active

  /**
   * @param {string} url path or address of the websocket route
   * @param {{onState?: (state: string, detail: object) => void, active?: number}} options
   *   onState hears every change; active is how many seconds a call keeps the user active (120).
   */
  constructor(url, { onState = () => {}, active = 120 } = {}) {
    this.#url = new URL(url, location.href)
    this.#url.protocol = this.#url.protocol.replace('http', 'ws')
    this.#onstate = onState
    this.#active = active
    addEventListener('online', () => this.#state === 'waiting' && this.#open())
    // A page that is left may be kept for a while, and would go on being somebody's presence; it may also come back.
    addEventListener('pagehide', () => this.#state !== 'closed' && this.#leave())
    addEventListener('pageshow', ({ persisted }) => persisted && this.#state === 'waiting' && this.#open())
    this.#open()
  }

  get state() {
    return this.#state
  }

  /**
   * Calls a remote procedure and resolves to its result. Rejects with a CallError; a call is never sent twice. With
   * `active: null` the call does not count as something that the user did.
   */
  call(method, args = [], kwargs = {}, { active = this.#active } = {}) {
    return new Promise((resolve, reject) => {
      const call = { method, args, kwargs, active, resolve, reject }
      if (this.#state === 'active') this.#send(call)
      else if (this.#state === 'closed') reject(new CallError('disconnected', null, 'the connection is closed'))
      else this.#queue.push(call)
    })
  }

  /**
   * Listens to a topic. `init` is the call by which the backend subscribes this connection, as [method, args, kwargs] or
   * a function that returns one; it is made now and again after every reconnect, and `onReady` hears its result (or
   * `onError` its failure). Close the guard to stop.
   */
  subscribe(topic, onMessage, options = {}) {
    const guards = this.#subscriptions.get(topic) ?? new Set()
    this.#subscriptions.set(topic, guards)
    return this.#guard(guards, onMessage, options, () => this.#subscriptions.get(topic) === guards && this.#subscriptions.delete(topic))
  }

  /**
   * Follows a lattice and returns what is known of it. `onChange` hears the Set of keys that are new or have changed;
   * `init` and the others are as with subscribe. `close()` stops it.
   */
  lattice(namespace, onChange, options = {}) {
    const shared = this.#lattices.get(namespace) ?? { state: new Map(), guards: new Set() }
    this.#lattices.set(namespace, shared)
    const guard = this.#guard(shared.guards, onChange, options, () => this.#lattices.get(namespace) === shared && this.#lattices.delete(namespace))
    return new Lattice(shared.state, guard)
  }

  #guard(guards, hear, { init, deinit, onReady = () => {}, onError = () => {} }, onLast) {
    const guard = { hear, init, onReady, onError, open: true }
    guards.add(guard)
    guard.close = () => {
      guard.open = false
      if (guards.delete(guard) && guards.size === 0) onLast()
      if (deinit && this.#state === 'active') this.call(...deinit).catch(() => {})
    }
    if (this.#state === 'active') this.#init(guard)
    return guard
  }

  /** Closes for good. */
  close() {
    clearTimeout(this.#timer)
    this.#set('closed', {})
    this.#socket?.close(1000)
    this.#fail('the connection was closed')
  }

  #open() {
    clearTimeout(this.#timer)
    this.#set('connecting', {})
    this.#opened = Date.now()
    const socket = new WebSocket(this.#url, PROTOCOL)
    this.#socket = socket
    let refusal = null
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return
      const [event, meta, body] = JSON.parse(data)
      if (event === 'fatal_error') refusal = { status: meta.http_error, data: body }
      else this.#receive(event, meta, body)
    }
    socket.onclose = ({ code }) => socket === this.#socket && this.#lost(code, refusal)
  }

  #receive(event, meta, data) {
    switch (event) {
      case 'hello': {
        this.#set('active', data)
        for (const guards of this.#subscriptions.values()) for (const guard of guards) this.#init(guard)
        for (const { guards } of this.#lattices.values()) for (const guard of guards) this.#init(guard)
        for (const call of this.#queue.splice(0)) this.#send(call)
        break
      }
      case 'result':
      case 'error': {
        const call = this.#calls.get(meta.request_id)
        if (!call) return
        this.#calls.delete(meta.request_id)
        clearTimeout(call.timer)
        if (event === 'result') call.resolve(data)
        else call.reject(new CallError(meta.error_kind, meta, data))
        break
      }
      case 'message':
        for (const guard of this.#subscriptions.get(meta.topic) ?? []) guard.hear(data, meta)
        break
      case 'lattice': {
        const shared = this.#lattices.get(meta.namespace)
        if (!shared) return
        const changed = merge(shared.state, data)
        if (changed.size > 0) for (const guard of shared.guards) guard.hear(changed)
        break
      }
    }
  }

  // Init calls say what this connection is to hear: they may be repeated when it is not known what became of one.
  #init(guard, tries = INIT_TRIES) {
    if (!guard.init) return guard.onReady()
    const socket = this.#socket
    const current = () => guard.open && socket === this.#socket && this.#state === 'active'
    const [method, args, kwargs] = typeof guard.init === 'function' ? guard.init() : guard.init
    this.call(method, args, kwargs, { active: null }).then(guard.onReady, (error) => {
      if (!current()) return
      if (tries <= 1 || !(error.status >= 500 || error.kind === 'timeout')) return guard.onError(error)
      setTimeout(() => current() && this.#init(guard, tries - 1), INIT_PAUSE * (0.5 + Math.random()))
    })
  }

  #send(call) {
    const id = this.#nextId++
    call.timer = setTimeout(() => {
      this.#calls.delete(id)
      call.reject(new CallError('timeout', null, 'no answer in time'))
    }, CALL_TIMEOUT)
    this.#calls.set(id, call)
    const meta = call.active === null ? { request_id: id } : { request_id: id, active: call.active }
    this.#socket.send(JSON.stringify([call.method, meta, call.args, call.kwargs]))
  }

  #lost(code, refusal) {
    if (this.#state === 'closed') return
    if (Date.now() - this.#opened > STABLE) this.#attempt = 0
    const seconds = DELAYS[Math.min(this.#attempt++, DELAYS.length - 1)] * (0.5 + Math.random())
    this.#fail('the connection was lost')
    this.#set('waiting', { code, refusal, seconds })
    if (this.#state === 'waiting') this.#timer = setTimeout(() => this.#open(), seconds * 1000)
  }

  #leave() {
    clearTimeout(this.#timer)
    const socket = this.#socket
    this.#socket = null
    socket?.close(1000)
    this.#fail('the page was left')
    this.#set('waiting', {})
  }

  // Calls whose answer can no longer come fail: whether the backend did the work is not known here, so that to repeat
  // them is for the application to decide. Calls that were never sent stay in the queue.
  #fail(why) {
    for (const call of this.#calls.values()) {
      clearTimeout(call.timer)
      call.reject(new CallError('disconnected', null, why))
    }
    this.#calls.clear()
    if (this.#state === 'closed') for (const call of this.#queue.splice(0)) call.reject(new CallError('disconnected', null, why))
  }

  #set(state, detail) {
    this.#state = state
    this.#onstate(state, detail)
  }
}
