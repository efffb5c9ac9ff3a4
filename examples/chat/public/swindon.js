// A small browser client for Swindon's websocket protocol `v1.swindon-lattice+json`.
//
//   const swindon = new Swindon('/ws')
//   await swindon.call('chat.send_message', ['lobby', 'hi'])          // a call, as a promise
//   const guard = swindon.subscribe('rooms.lobby', show, {init: ['chat.join', ['lobby']], deinit: ['chat.leave', ['lobby']]})
//   guard.close()
//
// It reconnects by itself (with jitter, so that a thousand browsers do not come back in the same instant) and repeats
// the `init` calls of every open subscription: a connection that was lost took its subscriptions with it.

const PROTOCOL = 'v1.swindon-lattice+json'
const DELAYS = [0.2, 1, 2, 5, 10, 20, 30] // seconds before the 1st, 2nd, … attempt in a row; the last one repeats
const STABLE = 10_000 // milliseconds after which a connection counts as a good one, and the delays start anew
const CALL_TIMEOUT = 40_000 // milliseconds; above the gateway's own limits, which answer first

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
    this.#open()
  }

  get state() {
    return this.#state
  }

  /** Calls a remote procedure and resolves to its result. Rejects with a CallError; a call is never sent twice. */
  call(method, args = [], kwargs = {}) {
    return new Promise((resolve, reject) => {
      const call = { method, args, kwargs, resolve, reject }
      if (this.#state === 'active') this.#send(call)
      else if (this.#state === 'closed') reject(new CallError('disconnected', null, 'the connection is closed'))
      else this.#queue.push(call)
    })
  }

  /**
   * Listens to a topic. `init` is the call by which the backend subscribes this connection; it is made now and again
   * after every reconnect, and `onReady` hears its result (or `onError` its failure). Close the guard to stop.
   */
  subscribe(topic, onMessage, { init, deinit, onReady = () => {}, onError = () => {} } = {}) {
    const guard = { onMessage, init, onReady, onError, close: () => {} }
    const set = this.#subscriptions.get(topic) ?? new Set()
    this.#subscriptions.set(topic, set.add(guard))
    guard.close = () => {
      set.delete(guard)
      if (set.size === 0 && this.#subscriptions.get(topic) === set) this.#subscriptions.delete(topic)
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
        for (const set of this.#subscriptions.values()) for (const guard of set) this.#init(guard)
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
        for (const guard of this.#subscriptions.get(meta.topic) ?? []) guard.onMessage(data, meta)
        break
    }
  }

  #init(guard) {
    if (!guard.init) return guard.onReady()
    this.call(...guard.init).then(guard.onReady, guard.onError)
  }

  #send(call) {
    const id = this.#nextId++
    call.timer = setTimeout(() => {
      this.#calls.delete(id)
      call.reject(new CallError('timeout', null, 'no answer in time'))
    }, CALL_TIMEOUT)
    this.#calls.set(id, call)
    this.#socket.send(JSON.stringify([call.method, { request_id: id, active: this.#active }, call.args, call.kwargs]))
  }

  #lost(code, refusal) {
    if (this.#state === 'closed') return
    if (Date.now() - this.#opened > STABLE) this.#attempt = 0
    const seconds = DELAYS[Math.min(this.#attempt++, DELAYS.length - 1)] * (0.5 + Math.random())
    this.#fail('the connection was lost')
    this.#set('waiting', { code, refusal, seconds })
    if (this.#state === 'waiting') this.#timer = setTimeout(() => this.#open(), seconds * 1000)
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
