// Tests of examples/chat/public/swindon.js, run in a browser by TestBrowserClient. Sockets are replaced by ones that record
// what is sent and play frames as a gateway sends them (protocol §8, worked example of §8.6 among them).
import { Swindon, merge } from '/swindon.js'

const sockets = []

class FakeSocket {
  sent = []

  constructor(url, protocol) {
    Object.assign(this, { url: String(url), protocol })
    sockets.push(this)
    waiting.splice(0).forEach((resolve) => resolve())
  }

  send(text) {
    this.sent.push(JSON.parse(text))
  }

  close() {
    this.closed = true
  }

  play(...frames) {
    for (const frame of frames) this.onmessage({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) })
  }

  drop(code) {
    this.onclose({ code })
  }
}

const waiting = []
const opened = async (count) => {
  while (sockets.length < count) await new Promise((resolve) => waiting.push(resolve))
  return sockets[count - 1]
}
const settled = () => new Promise((resolve) => setTimeout(resolve))

const plain = (value) => {
  if (value instanceof Set) return [...value].sort()
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
  return value
}

function equal(what, got, want) {
  const [a, b] = [JSON.stringify(plain(got)), JSON.stringify(want)]
  if (a !== b) throw new Error(`${what}: got ${a}, want ${b}`)
}

const tests = {
  'counters grow'() {
    const state = new Map()
    equal('new', merge(state, { 'q:7': { size_counter: 4 } }), ['q:7'])
    equal('less', merge(state, { 'q:7': { size_counter: 3 } }), [])
    equal('equal', merge(state, { 'q:7': { size_counter: 4 } }), [])
    equal('more', merge(state, { 'q:7': { size_counter: 5 } }), ['q:7'])
    equal('nought is a value', merge(state, { 'q:8': { size_counter: 0 } }), ['q:8'])
    equal('state', state, { 'q:7': { size_counter: 5 }, 'q:8': { size_counter: 0 } })
  },

  'sets unite'() {
    const state = new Map()
    merge(state, { k: { tags_set: ['x', 'y'] } })
    const before = state.get('k').get('tags_set')
    equal('known', merge(state, { k: { tags_set: ['y', 'x', 'x'] } }), [])
    equal('new member', merge(state, { k: { tags_set: ['y', 'z'] } }), ['k'])
    equal('union', state, { k: { tags_set: ['x', 'y', 'z'] } })
    equal('what a reader holds is not changed under it', before, ['x', 'y'])
    equal('empty set', merge(state, { k: { other_set: [] } }), ['k'])
    equal('named like a counter', merge(state, { k: { x_counter_set: ['1'] } }), ['k'])
  },

  'registers take a strictly greater version'() {
    const state = new Map()
    merge(state, { k: { mood_register: [7.0, 'ok'] } })
    equal('equal version', merge(state, { k: { mood_register: [7, 'bad'] } }), [])
    equal('lower version', merge(state, { k: { mood_register: [6.9, 'bad'] } }), [])
    equal('greater version', merge(state, { k: { mood_register: [1503328586.5, { any: [null] }] } }), ['k'])
    equal('state', state, { k: { mood_register: [1503328586.5, { any: [null] }] } })
  },

  'keys are announced once'() {
    const state = new Map()
    equal('new', merge(state, { 'q:9': {} }), ['q:9'])
    equal('again', merge(state, { 'q:9': {} }), [])
    equal('nothing', merge(state, {}), [])
    merge(state, JSON.parse('{"__proto__":{"n_counter":1},"constructor":{}}'))
    equal('any name', [...state.keys()].sort(), ['__proto__', 'constructor', 'q:9'])
    equal('unknown type', merge(state, { 'q:9': { x_map: { a: 1 } } }), [])
  },

  async 'order and repetition make no difference'() {
    const frames = [
      { a: { n_counter: 1, s_set: ['x'] } }, { a: { n_counter: 3, r_register: [2, 'b'] }, b: {} },
      { a: { n_counter: 2, s_set: ['y', 'x'] } }, { a: { r_register: [1, 'a'] }, b: { n_counter: 9 } },
    ]
    const want = { a: { n_counter: 3, r_register: [2, 'b'], s_set: ['x', 'y'] }, b: { n_counter: 9 } }
    for (const order of permutations([0, 1, 2, 3, 1])) {
      const state = new Map()
      for (const i of order) merge(state, frames[i])
      const sorted = (map) => new Map([...map].sort(([k], [l]) => (k < l ? -1 : 1)).map(([k, v]) => [k, v instanceof Map ? sorted(v) : v]))
      equal(`order ${order}`, sorted(state), want)
    }
  },

  async 'a lattice from the first frame to the third connection'() {
    const heard = []
    const client = new Swindon('/ws')
    let socket = await opened(1)
    equal('protocol', socket.protocol, 'v1.swindon-lattice+json')
    const ready = []
    const queues = client.lattice('desk.queues', (keys) => heard.push([...keys]), { init: ['desk.enter'], onReady: (v) => ready.push(v) })
    equal('nothing before hello', socket.sent, [])
    socket.play(['hello', {}, { user_id: 'ann' }])
    equal('init', socket.sent, [['desk.enter', { request_id: 1 }, [], {}]])

    // The snapshot comes before the result of the call that attached the connection.
    socket.play('["lattice", {"namespace":"desk.queues"}, {"q:7":{"size_counter":4,"read_counter":2}}]')
    equal('snapshot', heard.splice(0), [['q:7']])
    socket.play(['result', { request_id: 1 }, true])
    await settled()
    equal('ready', ready, [true])

    socket.play(
      ['lattice', { namespace: 'desk.queues' }, { 'q:9': { size_counter: 2 } }],
      ['lattice', { namespace: 'desk.queues' }, {}], // a stale private value: nothing is left of it
      ['lattice', { namespace: 'desk.queues' }, { 'q:7': { tags_set: ['x', 'y'] } }],
      ['lattice', { namespace: 'desk.queues' }, { 'q:7': { tags_set: ['y', 'z'] } }],
      ['lattice', { namespace: 'another' }, { 'q:1': { size_counter: 2 } }],
      ['lattice', { namespace: 'desk.queues' }, { 'q:10': {} }],
    )
    equal('changes', heard.splice(0), [['q:9'], ['q:7'], ['q:7'], ['q:10']])
    equal('keys', queues.keys(), ['q:7', 'q:9', 'q:10'])
    equal('set', queues.value('q:7', 'tags_set'), ['x', 'y', 'z'])
    equal('counter', queues.value('q:7', 'read_counter'), 2)
    equal('unknown', [queues.value('q:7', 'no_counter') === undefined, queues.value('none', 'mood_register') === undefined], [true, true])
    equal('entries', queues.entries('q:7').map(([name]) => name).sort(), ['read_counter', 'size_counter', 'tags_set'])

    // Connection lost: the backend attaches the next one. A snapshot of a node that is behind takes nothing back.
    socket.drop(1006)
    socket = await opened(2)
    socket.play(['hello', {}, { user_id: 'ann' }])
    equal('init again', socket.sent.map(([method]) => method), ['desk.enter'])
    socket.play(['lattice', { namespace: 'desk.queues' }, { 'q:7': { size_counter: 3, read_counter: 3 } }])
    equal('what grew', heard.splice(0), [['q:7']])
    equal('joined', [queues.value('q:7', 'size_counter'), queues.value('q:7', 'read_counter')], [4, 3])

    // "Try again later" is tried again on the same connection; a refusal is told.
    socket.play(['error', { request_id: socket.sent[0][1].request_id, error_kind: 'http_error', http_error: 503 }, null])
    while (socket.sent.length < 2) await new Promise((resolve) => setTimeout(resolve, 20))
    equal('repeated', socket.sent.map(([method]) => method), ['desk.enter', 'desk.enter'])
    queues.close()
    socket.play(['lattice', { namespace: 'desk.queues' }, { 'q:7': { size_counter: 99 } }])
    equal('closed', [heard, queues.value('q:7', 'size_counter')], [[], 4])
    client.close()
  },

  async 'a page that is left is gone, and may come back'() {
    const count = sockets.length
    const client = new Swindon('/ws')
    const first = await opened(count + 1)
    client.lattice('a', () => {}, { init: ['a.enter'] })
    first.play(['hello', {}, {}])
    const call = client.call('a.b').then(() => 'result', (error) => error.kind)
    dispatchEvent(new Event('pagehide'))
    dispatchEvent(new Event('pagehide'))
    equal('left', [first.closed, client.state, await call], [true, 'waiting', 'disconnected'])
    dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))
    const second = await opened(count + 2)
    first.onclose({ code: 1000 }) // the old one's end is no news
    second.play(['hello', {}, {}])
    equal('back', [client.state, second.sent.map(([method]) => method)], ['active', ['a.enter']])
    client.close()
  },

  async 'presence is a lattice with registers'() {
    const count = sockets.length
    const client = new Swindon('/ws')
    const socket = await opened(count + 1)
    const watched = ['bob']
    let changes = 0
    const presence = client.lattice('swindon.user', () => changes++, { init: () => ['chat.watch', [watched]] })
    watched.push('eve')
    socket.play(['hello', {}, { user_id: 'ann' }])
    equal('init is asked when it is needed', socket.sent[0], ['chat.watch', { request_id: 1 }, [['bob', 'eve']], {}])
    socket.play('["lattice", {"namespace":"swindon.user"}, {"bob":{"status_register":[1700000000123.0,"active"]}}]')
    socket.play('["lattice", {"namespace":"swindon.user"}, {"bob":{"status_register":[1700000000122.0,"offline"]}}]')
    equal('status', [presence.value('bob', 'status_register'), presence.value('eve', 'status_register') ?? 'unknown', changes], ['active', 'unknown', 1])
    client.call('chat.here').catch(() => {})
    client.call('chat.mark', [], {}, { active: null }).catch(() => {})
    equal('what keeps a user active', socket.sent.slice(1).map(([, meta]) => meta.active ?? 'no'), [120, 'no'])
    client.close()
  },
}

function permutations(list) {
  if (list.length < 2) return [list]
  return list.flatMap((item, i) => permutations([...list.slice(0, i), ...list.slice(i + 1)]).map((rest) => [item, ...rest]))
}

/** Joins the data of frames and returns the state as text, in the gateway's form. */
export function joined(frames) {
  const state = new Map()
  for (const data of frames) merge(state, data)
  return JSON.stringify(plain(state))
}

/** Runs all tests and returns the failures, each as a text. */
export async function run() {
  globalThis.WebSocket = FakeSocket
  const failures = []
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test()
    } catch (error) {
      failures.push(`${name}: ${error.stack}`)
    }
  }
  return JSON.stringify({ count: Object.keys(tests).length, failures })
}
