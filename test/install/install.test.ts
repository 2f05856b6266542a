import { deepEqual, equal, notEqual, ok, throws } from 'node:assert/strict'
import { afterEach, suite, test } from 'node:test'
import { Agent, getGlobalDispatcher, request, setGlobalDispatcher } from 'undici'
import { createClient, OptionError, type ClientOptions } from '../../src/index.ts'
import { install, uninstall } from '../../src/install/index.ts'
import { DispatcherSlot } from '../../src/install/dispatcher-slot.ts'
import { closing, eventually } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { hold, inTurn, json, startServer, status } from '../support/server.ts'

const SYMBOLS = [1, 2].map(version => Symbol.for(`undici.globalDispatcher.${version}`))
const look = (): PropertyDescriptor[] => SYMBOLS.map(symbol => Object.getOwnPropertyDescriptor(globalThis, symbol)!)
const putBack = (properties: readonly PropertyDescriptor[]): void => {
  SYMBOLS.forEach((symbol, index) => Object.defineProperty(globalThis, symbol, properties[index]!))
}
const QUICK: ClientOptions = { retry: { backoff: 1, maxBackoff: 1, throttledBackoff: 1 } }
const statusOf = async (url: string): Promise<number> => {
  const response = await fetch(url)
  await response.arrayBuffer()
  return response.status
}

suite('install()', () => {
  const before = look()
  afterEach(() => uninstall())

  test('importing it has changed nothing', async t => {
    const server = await closing(t, startServer(status(503)))
    equal(await statusOf(server.url), 503)
    equal(server.hits, 1)
  })

  test('protects fetch, and the undici a program has installed, until uninstall() puts back exactly what was there', async t => {
    const server = await closing(t, startServer(inTurn(status(503), json(1), status(503), json(2), status(503))))
    const client = install(QUICK)
    equal(await statusOf(server.url), 200)
    deepEqual(await request(server.url).then(({ body }) => body.json()), 2)
    deepEqual(client.snapshot().map(({ name }) => name), [server.url])
    const ended = uninstall()
    deepEqual(look(), before)
    await ended
    equal(await statusOf(server.url), 503)
    await uninstall()
    deepEqual(look(), before)
  })

  test('exchanges the client when it is called again, and keeps it when nothing is asked for', async t => {
    const server = await closing(t, startServer(json(1)))
    const first = install({ deadline: 1_000 })
    equal(install(), first)
    const second = install({ deadline: 2_000 })
    notEqual(second, first)
    equal(await statusOf(server.url), 200)
    deepEqual([first.snapshot().length, second.snapshot().length], [0, 1])
    await failure(first.get(server.url), Error).then(error => equal(error.name, 'DrainingError'))
    await uninstall()
    deepEqual(look(), before)
  })

  test('takes a client, which stays the caller’s to close', async t => {
    const server = await closing(t, startServer(json(1)))
    const client = createClient()
    t.after(() => client.destroy())
    equal(install(client), client)
    equal(install(client), client)
    equal(await statusOf(server.url), 200)
    await uninstall()
    equal((await client.get(server.url)).status, 200)
  })

  test('changes nothing when an option makes no sense', async () => {
    throws(() => install({ deadline: -1 }), { name: 'OptionError', option: 'deadline' })
    throws(() => install([] as ClientOptions), OptionError)
    deepEqual(look(), before)
    const client = install()
    throws(() => install({ retry: 5 } as unknown as ClientOptions), OptionError)
    equal(install(), client)
  })
})

suite('uninstall()', () => {
  const before = look()
  afterEach(() => uninstall())

  test('settles when what is in flight has ended, while new requests go their old way', async t => {
    const gate = hold()
    const server = await closing(t, startServer(gate.handler))
    install()
    const sent = statusOf(server.url)
    await eventually(() => server.hits === 1)
    let isDone = false
    const ended = uninstall().then(() => { isDone = true })
    server.handle(json(1))
    equal(await statusOf(server.url), 200)
    ok(!isDone)
    gate.release()
    equal(await sent, 200)
    await ended
  })

  test('leaves a dispatcher alone that somebody has set since', async t => {
    const server = await closing(t, startServer(json(1)))
    install({ allow: [] })
    const theirs = new Agent()
    t.after(() => theirs.close())
    setGlobalDispatcher(theirs)
    t.after(() => { putBack(before) })
    equal(await statusOf(server.url), 200)
    const set = look()
    await uninstall()
    deepEqual(look(), set)
    equal(await statusOf(server.url), 200)
    equal(getGlobalDispatcher(), theirs)
  })

  test('takes itself out from under what somebody has built on it', async t => {
    const server = await closing(t, startServer(status(503)))
    install({ retry: { limit: 1, backoff: 1, maxBackoff: 1 } })
    const seen: string[] = []
    setGlobalDispatcher(getGlobalDispatcher().compose(dispatch => (options, handler) => {
      seen.push(options.path)
      return dispatch(options, handler)
    }))
    t.after(() => { putBack(before) })
    equal(await statusOf(`${server.url}/with`), 503)
    await uninstall()
    equal(await statusOf(`${server.url}/without`), 503)
    deepEqual(seen, ['/with', '/without'])
    deepEqual([server.hitsOf('/with'), server.hitsOf('/without')], [2, 1])
  })

  test('may be called in any order by two copies of the package', async t => {
    const server = await closing(t, startServer(json(1)))
    // A variable, as the compiler would look for a file of this name.
    const copy = '../../src/install/index.ts?copy'
    const other = await import(copy) as { install: typeof install; uninstall: typeof uninstall }
    install()
    other.install()
    await uninstall()
    equal(await statusOf(server.url), 200)
    await other.uninstall()
    equal(await statusOf(server.url), 200)
    putBack(before)
  })

  test('takes a property away that was not there, and puts one back that was of another make', async t => {
    const client = createClient()
    t.after(() => client.destroy())
    const dispatcher = client.dispatcher()
    const properties: (PropertyDescriptor | undefined)[] = [
      undefined,
      { value: dispatcher, writable: false, enumerable: true, configurable: true },
      { get: () => dispatcher, set() {}, enumerable: false, configurable: true },
    ]
    for (const property of properties) {
      const symbol = Symbol()
      if (property !== undefined) Object.defineProperty(globalThis, symbol, property)
      const place = new DispatcherSlot(symbol)
      place.install(dispatcher, dispatcher)
      ok(place.isInstalled)
      place.restore()
      ok(!place.isInstalled)
      deepEqual(Object.getOwnPropertyDescriptor(globalThis, symbol), property)
      Reflect.deleteProperty(globalThis, symbol)
    }
  })
})
