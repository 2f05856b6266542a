import { deepEqual } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { test } from 'node:test'
import { closing } from '../support/check.ts'
import { json, startServer } from '../support/server.ts'

const SOURCE = JSON.stringify(fileURLToPath(new URL('../../src/index.ts', import.meta.url)))
const UNDICI = JSON.stringify(import.meta.resolve('undici'))

/** What a host has that undici would like to have. */
const LOOK = `
  const names = ['fetch', 'Request', 'Response', 'Headers', 'FormData', 'WebSocket', 'EventSource', 'MessageEvent']
  const look = () => new Map([
    ...names.map(name => [name, Object.getOwnPropertyDescriptor(globalThis, name)?.value ?? globalThis[name]]),
    ...Object.getOwnPropertySymbols(globalThis).filter(({ description }) => /undici|dispatcher/i.test(description))
      .map(symbol => [symbol, globalThis[symbol]]),
  ])
  // What was there must be as it was. undici 8 may add a symbol of its own, which no built-in fetch of an older one reads.
  const same = (one, other) => [...one].every(([key, value]) => Object.is(value, other.get(key)))`

/** Runs a program in a process of its own, and gives what it printed as JSON. */
const run = async (program: string, env = {}): Promise<unknown> => {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '--eval', LOOK + program]
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env }, timeout: 20_000 })
  return JSON.parse(stdout)
}

test('importing breakwater and calling with it leaves fetch and its dispatcher as they were', async t => {
  const server = await closing(t, startServer(json('hi')))
  deepEqual(await run(`
    await (await fetch('${server.url}')).json()
    const before = look()
    const { createClient } = await import(${SOURCE})
    const after = look()
    const client = createClient()
    const ours = await client.get('${server.url}').json()
    await client.close()
    const theirs = await (await fetch('${server.url}')).json()
    console.log(JSON.stringify([same(before, after), same(before, look()), ours, theirs]))
  `), [true, true, 'hi', 'hi'])
})

test('so does importing it first', async t => {
  const server = await closing(t, startServer(json('hi')))
  deepEqual(await run(`
    const { createClient } = await import(${SOURCE})
    const theirs = await (await fetch('${server.url}')).json()
    const client = createClient()
    const ours = await client.get('${server.url}').json()
    await client.close()
    const legacy = globalThis[Symbol.for('undici.globalDispatcher.1')]
    const { Agent } = await import(${UNDICI})
    console.log(JSON.stringify([ours, theirs, legacy instanceof Agent, typeof legacy?.dispatch]))
  `), ['hi', 'hi', false, 'function'])
})

test('a dispatcher set before stays, and built-in fetch goes through it', async t => {
  const server = await closing(t, startServer(json('hi')))
  deepEqual(await run(`
    await (await fetch('${server.url}')).json()
    const seen = []
    const mine = [1, 2].map(version => Symbol.for('undici.globalDispatcher.' + version)).filter(symbol => globalThis[symbol])
      .map(symbol => {
        const built = globalThis[symbol]
        const dispatch = (options, handler) => {
          seen.push(options.path)
          return built.dispatch(options, handler)
        }
        return [symbol, globalThis[symbol] = { dispatch }]
      })
    const { createClient } = await import(${SOURCE})
    await (await fetch('${server.url}/theirs')).json()
    const client = createClient()
    await client.get('${server.url}/ours')
    await client.close()
    console.log(JSON.stringify([mine.length > 0 && mine.every(([symbol, set]) => globalThis[symbol] === set), seen]))
  `), [true, ['/theirs']])
})

test('a dispatcher set after importing it is obeyed by fetch, and not by us', async t => {
  const server = await closing(t, startServer(json('hi')))
  deepEqual(await run(`
    const { createClient } = await import(${SOURCE})
    const { setGlobalDispatcher, Agent } = await import(${UNDICI})
    const seen = []
    setGlobalDispatcher(new Agent().compose(dispatch => (options, handler) => {
      seen.push(options.path)
      return dispatch(options, handler)
    }))
    const client = createClient()
    await client.get('${server.url}/ours')
    await client.close()
    const theirs = await (await fetch('${server.url}/theirs')).json()
    console.log(JSON.stringify([seen, theirs]))
  `), [['/theirs'], 'hi'])
})

test('the proxy settings of the host’s environment are for its fetch, and not for us', async t => {
  const [server, proxy] = [await closing(t, startServer(json('direct'))), await closing(t, startServer(json('proxied')))]
  const env = { NODE_USE_ENV_PROXY: '1', HTTP_PROXY: proxy.url, http_proxy: proxy.url, NO_PROXY: '', no_proxy: '' }
  deepEqual(await run(`
    const { createClient } = await import(${SOURCE})
    const client = createClient()
    const ours = await client.get('${server.url}').json()
    await client.close()
    console.log(JSON.stringify(ours))
  `, env), 'direct')
})
