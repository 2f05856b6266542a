import { deepEqual, equal, ok } from 'node:assert/strict'
import { request as nodeRequest } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { suite, test, type TestContext } from 'node:test'
import { request } from 'undici'
import {
  AttemptTimeoutError, createClient, DeadlineExceededError, LimitExceededError, type Client, type ClientOptions,
} from '../../src/index.ts'
import { startGateway } from '../support/gateway-under-test.ts'
import { closing, eventually, inTime } from '../support/check.ts'
import { failure } from '../support/failure.ts'
import { byPath, echo, hold, startServer, status, type Handler, type TestServer } from '../support/server.ts'

/*
 * Whose time it is: the upstream's, for which a permit is held and which counts as evidence, or the caller's, which is neither.
 */

const start = async (t: TestContext, handler: Handler, options: ClientOptions = {}): Promise<[TestServer, Client]> => {
  const server = await closing(t, startServer(handler))
  return [server, await closing(t, createClient(options))]
}
const only = (client: Client) => client.snapshot()[0]!
const circuitOf = (client: Client) => {
  const { circuit, failureRate } = only(client).endpoints[0]!
  return [circuit, failureRate]
}

/** A body of which a part is there, and the rest when it is asked for. */
const slow = (): PassThrough => {
  const body = new PassThrough()
  body.write('begun ')
  return body
}
const ONE = { max: 1, queue: 5 }

suite('an upload that its caller sends slowly', () => {
  const faces: Record<string, (client: Client, url: string, body: Readable) => Promise<string>> = {
    'client.post()': async (client, url, body) => (await client.post(url, { body })).text(),
    'client.post() of an async iterable': async (client, url, body) =>
      (await client.post(url, { body: { [Symbol.asyncIterator]: () => body[Symbol.asyncIterator]() } })).text(),
    'client.post() of a function': async (client, url, body) => (await client.post(url, { body: () => body })).text(),
    'client.stream()': async (client, url, body) => text((await client.stream('POST', url, { body })).body),
    'client.dispatcher()': async (client, url, body) =>
      (await request(url, { dispatcher: client.dispatcher(), method: 'POST', body })).body.text(),
    'client.fetch': async (client, url, body) => {
      const init = { method: 'POST', body: Readable.toWeb(body) as ReadableStream, duplex: 'half' } as RequestInit
      return (await client.fetch(url, init)).text()
    },
  }
  for (const [face, post] of Object.entries(faces)) {
    test(`lends its permit until all of it has gone: ${face}`, async t => {
      const gate = hold(status(200, {}, 'stored'))
      const handler: Handler = async (incoming, response) => {
        await text(incoming)
        await gate.handler(incoming, response)
      }
      const [{ url }, client] = await start(t, byPath({ '/up': handler, '/': status(204) }), { limit: ONE })
      const body = slow()
      const posted = post(client, `${url}/up`, body)
      await eventually(() => only(client).endpoints[0]!.inFlight === 1)
      equal((await client.get(url)).status, 204, 'another call has its permit')
      deepEqual(only(client).limit, { max: 1, inFlight: 0, queued: 0, bodies: 1 })

      body.end('ended')
      await eventually(() => gate.waiting === 1)
      deepEqual(only(client).limit, { max: 1, inFlight: 1, queued: 0, bodies: 0 }, 'the upstream is at work')
      const waiting = client.get(url)
      await eventually(() => only(client).limit.queued === 1)
      gate.release()
      equal(await posted, 'stored')
      equal((await waiting).status, 204)
      deepEqual(only(client).limit, { max: 1, inFlight: 0, queued: 0, bodies: 0 })
    })
  }

  test('is no evidence when its deadline passes', async t => {
    const [{ url }, client] = await start(t, echo, { deadline: 150, retry: false, breaker: { consecutive: 1 } })
    const error = await failure(client.post(url, { body: slow() }), DeadlineExceededError)
    deepEqual([error.phase, error.verdict, error.sent], ['caller', 'none', 'maybe'])
    deepEqual(circuitOf(client), ['closed', 0])
  })

  test('nor when the time of its attempt passes', async t => {
    const [{ url }, client] = await start(t, echo, { attemptTimeout: 150, retry: false, breaker: { consecutive: 1 } })
    const error = await failure(client.post(url, { body: slow() }), AttemptTimeoutError)
    deepEqual([error.phase, error.verdict], ['caller', 'none'])
    deepEqual(circuitOf(client), ['closed', 0])
  })

  test('is given up at the time of its caller, where the deadline is the upstream\'s', async t => {
    for (const [deadline, callerTimeout, timeout] of [[100, 250, 100], [5_000, 150, 150]] as const) {
      const [{ url }, client] = await start(t, echo, { deadline, callerTimeout, retry: false, breaker: { consecutive: 1 } })
      const posted = request(url, { dispatcher: client.dispatcher(), method: 'POST', body: slow() })
      const error = await failure(inTime(posted, { within: 2_000 }), DeadlineExceededError)
      deepEqual([error.phase, error.timeout, error.verdict], ['caller', timeout, 'none'])
      deepEqual(circuitOf(client), ['closed', 0])
    }
  })

  test('has its deadline once it has gone, where that is the upstream\'s', async t => {
    const gate = hold()
    const [{ url }, client] = await start(t, gate.handler, { deadline: 150, retry: false })
    const body = slow()
    const posted = request(url, { dispatcher: client.dispatcher(), method: 'POST', body })
    const refused = failure(posted, DeadlineExceededError)
    await eventually(() => gate.waiting === 1)
    body.end('ended')
    const error = await refused
    deepEqual([error.phase, error.verdict], ['headers', 'gateway'])
  })

  test('leaves nothing against the upstream when its caller hangs up or destroys it', async t => {
    const [{ url }, client] = await start(t, echo, { breaker: { consecutive: 1 } })
    for (const error of [new Error('the user has left'), undefined]) {
      const body = slow()
      const posted = client.post(url, { body })
      const settled = posted.then(() => 'answered', (reason: unknown) => reason)
      await eventually(() => only(client).endpoints[0]!.inFlight === 1)
      body.destroy(error)
      const reason = await settled
      if (error !== undefined) equal(reason, error)
      else ok(reason instanceof Error)
      deepEqual(circuitOf(client), ['closed', 0])
    }
    equal((await client.post(url, { body: 'x' })).status, 200)
  })

  test('that was destroyed before the call is the caller\'s mistake, and nothing is sent', async t => {
    const [server, client] = await start(t, echo, { breaker: { consecutive: 1 } })
    const body = slow().on('error', () => {})
    body.destroy(new Error('gone'))
    await new Promise(resolve => body.once('close', resolve))
    const reason: unknown = await client.post(server.url, { body }).then(() => 'answered', (error: unknown) => error)
    equal((reason as Error).message, 'gone')
    deepEqual([server.hits, ...circuitOf(client)], [0, 'closed', 0])
  })
})

suite('a reply that its caller reads slowly', () => {
  const endless: Handler = (_request, response) => {
    response.writeHead(200)
    const more = (): void => { while (response.write('x'.repeat(65_536))); }
    response.on('drain', more)
    more()
  }

  test('holds no permit, and has a bound of its own', async t => {
    const [{ url }, client] = await start(t, byPath({ '/long': endless, '/': status(204) }), { limit: { ...ONE, bodies: 2 } })
    const bodies = [await client.stream('GET', `${url}/long`), await client.stream('GET', `${url}/long`)]
    equal((await client.get(url)).status, 204)
    const error = await failure(client.stream('GET', `${url}/long`), LimitExceededError)
    deepEqual([error.kind, error.limit], ['bodies', 2])
    ok(error.message.includes('slowly by their callers'), error.message)
    for (const { body } of bodies) body.destroy()
    await eventually(() => only(client).limit.bodies === 0)
    const again = await client.stream('GET', `${url}/long`)
    again.body.destroy()
  })

  test('ends when nothing of it is read for too long, at nobody\'s expense', async t => {
    const [{ url }, client] = await start(t, endless, { callerTimeout: 150, breaker: { consecutive: 1 } })
    const { body } = await request(url, { dispatcher: client.dispatcher() })
    const error = await failure(new Promise((_resolve, reject) => { body.on('error', reject) }), DeadlineExceededError)
    deepEqual([error.phase, error.timeout, error.verdict], ['caller', 150, 'none'])
    deepEqual([...circuitOf(client), only(client).active], ['closed', 0, 0])
  })
})

suite('calls that an upstream holds for long', () => {
  test('do not keep the others out', async t => {
    const gate = hold()
    const [{ url }, client] = await start(t, byPath({ '/poll': gate.handler, '/': status(204) }), {
      limit: { adaptive: false, max: 3, queue: 100 }, deadline: 20_000,
    })
    const polls = Array.from({ length: 3 }, () => client.get(`${url}/poll`))
    await eventually(() => gate.waiting === 3)
    const others = await Promise.all(Array.from({ length: 50 }, () => client.get(url)))
    deepEqual([...new Set(others.map(reply => reply.status))], [204])
    ok(only(client).limit.inFlight <= 6, 'no more than as many again')
    gate.release()
    equal((await Promise.all(polls)).length, 3)
    deepEqual(only(client).limit, { max: 3, inFlight: 0, queued: 0, bodies: 0 })
  })

  test('at the gateway neither: uploads and downloads of slow clients beside honest requests', async t => {
    const stored: Handler = (incoming, response) => { incoming.resume().on('end', () => { response.end('stored') }) }
    const handler = byPath({ '/up': stored, '/': status(204) })
    const server = await closing(t, startServer(handler))
    const gateway = await closing(t, startGateway(server.url, {}, { limit: { max: 2, adaptive: false } }))
    const uploads = Array.from({ length: 20 }, () => {
      const upload = nodeRequest(`${gateway.url}/up`, { method: 'POST', agent: false, headers: { 'content-length': '1000' } })
      upload.on('error', () => {}).write('x')
      return upload
    })
    await eventually(() => server.hits >= 2)
    const statuses = await Promise.all(Array.from({ length: 30 }, () => new Promise((resolve, reject) => {
      nodeRequest(gateway.url, { agent: false }, response => { resolve(response.resume().statusCode) }).on('error', reject).end()
    })))
    deepEqual([...new Set(statuses)], [204])
    for (const upload of uploads) upload.destroy()
  })
})
