import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer, get, type IncomingMessage, type Server as HttpServer } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, test, type TestContext } from 'node:test'
import { browser, StatusError } from '../../bench/harm/browser.ts'
import { Crowd } from '../../bench/harm/crowd.ts'
import { CLOSED, FRONTS } from '../../bench/harm/fronts.ts'
import { COLUMNS } from '../../bench/harm/harm.ts'
import { isOwn, SCENARIOS, type Lane, type Manner, type Scenario } from '../../bench/harm/plans.ts'
import { startProgram } from '../../bench/harm/programs.ts'
import { run, type Seen } from '../../bench/harm/run.ts'
import { readSettings } from '../../bench/settings.ts'
import { TARGETS } from '../../bench/targets.ts'
import { parsePhases, totalOf } from '../../demo/phases.ts'
import { eventually, settle } from '../support/check.ts'
import { programMissing } from '../support/programs.ts'
import { listen } from '../support/server.ts'

/*
 * The pieces of `npm run bench -- harm`, on real sockets and in brief: do the tallies add up, and do callers, fronts and origin
 * do what their names say? How the library fares is measured there, not here.
 */

const named = (name: string): Scenario => SCENARIOS.find(scenario => scenario.name === name)!

/** Runs a scenario in brief. */
async function brief(scenario: Scenario, phases: string, names: readonly string[]): Promise<Seen[]> {
  const spans = parsePhases(phases)
  const lanes: Lane[] = names.map(name => scenario.lanes.find(lane => lane.name === name)!)
  const seen = await run(scenario, spans, lanes)
  for (const { track: { calls }, took } of seen) {
    const columns = totalOf(spans) / 50
    const [offered, good, failed] = (['offered', 'good', 'failed'] as const).map(key => calls.sum(key, 0, columns))
    ok(offered! > 0)
    equal(good! + failed!, offered)
    equal(took.length, calls.sum('good', spans.at(-1)!.from / 50, columns))
  }
  return seen
}

describe('slow callers before a gateway', () => {
  const manners: readonly [Manner, string][] =
    [['upload', '/upload'], ['download', '/large'], ['events', '/events'], ['half', '/half']]
  for (const [manner, path] of manners) {
    test(`are all served, and so are the others, where there is no limit: ${manner}`, async () => {
      const scenario: Scenario = { ...named('25 slow uploads'), crowd: { manner, count: 5 } }
      const [{ track, crowd, reached, refused, memory }] =
        await brief(scenario, 'health:0.25,load:0.75', ['breakwater, no limits']) as [Seen]
      const { read, ...rest } = crowd!
      deepEqual(rest, { count: 5, served: 5, away: 0 })
      deepEqual(reached, { '/stock': track.calls.sum('good', 0, 20), [path]: 5 })
      equal(track.calls.sum('failed', 0, 20), 0)
      equal(refused, 0)
      ok(memory! > 2 ** 20)
      if (manner === 'upload') equal(read, 0)
      // One sip a second, and what comes in its first.
      else ok(read > 0 && (manner !== 'download' || read <= 5 * 3 * 1_024), `${read} bytes read`)
    })
  }

  test('come back when they are turned away', async t => {
    const sockets = new Set<Socket>()
    const server = createServer(socket => {
      const reply = sockets.size === 0 ? 'HTTP/1.1 503 No\r\n\r\n' : 'HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n'
      sockets.add(socket.on('error', () => undefined).resume())
      socket.write(reply)
    })
    const crowd = new Crowd('events', 1, await listen(server))
    t.after(() => {
      crowd.end()
      server.close()
    })
    await eventually(() => crowd.report().served === 1, { within: 5_000 })
    const { read, ...rest } = crowd.report()
    deepEqual(rest, { count: 1, served: 1, away: 1 })
    ok(read > 19)
  })
})

describe('an origin of which a part is ill', () => {
  test('is asked for the good route and for the other, of which only the first is counted', async () => {
    const [own, bare] = await brief(named('behind our gateway'), 'outage:0.5', ['breakwater', 'bare undici']) as [Seen, Seen]
    const counted = bare.track.calls.sum('offered', 0, 10)
    ok(Math.abs(counted - bare.offered * 0.9) <= 1, `${counted} of ${bare.offered}`)
    deepEqual(bare.reached, { '/stock': counted })
    equal(bare.took.length, counted)
    ok(own.reached['/stock']! >= own.took.length)
  })

  test('that is overloaded answers nothing well, and is told how many calls reach it', async () => {
    const [{ took, reached, offered }] = await brief(named('wholly overloaded'), 'outage:0.5', ['bare undici']) as [Seen]
    equal(took.length, 0)
    equal(reached['/busy']! + reached['/busy/orders']!, offered)
  })

  test('is called through a gateway of ours by browsers', async () => {
    const scenario = named('one bad route, 60/s')
    const [{ took, reached, offered }] = await brief(scenario, 'outage:0.5', ['breakwater’s gateway']) as [Seen]
    ok(took.length > 0)
    ok(reached['/stock']! >= took.length && reached['/bad']! >= Math.floor(offered / 6))
  })

  for (const [name, status] of [['nginx', 502], ['varnish', 503]] as const) {
    test(`is found behind ${name}`, { skip: programMissing(name === 'nginx' ? name : 'varnishd', name) }, async t => {
      const origin = await served(t, createHttpServer((_request, response) => { response.end('well') }))
      const program = await startProgram(name, origin)
      t.after(() => program.end())
      equal((await fetch(`${program.url}/stock`)).status, 200)
      const real = await answerOf(`${program.url}/orders`)
      equal(real.status, status)
      if (name === 'nginx') return
      const played = await served(t, FRONTS['varnish bytes'](origin))
      deepEqual(await answerOf(`${played}/orders`), real)
      equal(await (await fetch(`${played}/stock`)).text(), 'well')
    })
  }
})

/** Where a server listens, until the test ends. */
async function served(t: TestContext, server: HttpServer): Promise<string> {
  const port = await listen(server)
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${port}`
}

/** An answer but for what is of one request or of one moment. */
async function answerOf(url: string): Promise<{ status: number | undefined }> {
  const [response] = await once(get(url, { agent: false }), 'response') as [IncomingMessage]
  const { statusCode: status, statusMessage, rawHeaders } = response
  const fields = rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : []))
    .filter(field => !/^(date|x-varnish|connection|keep-alive|content-length):/i.test(field))
  const body = (await text(response)).replace(/XID: \d+/, 'XID')
  return { status, statusMessage, fields: fields.toSorted(), body } as { status: number | undefined }
}

describe('a browser', () => {
  test('asks again when it met the end of a kept connection', async t => {
    let requests = 0
    const url = await served(t, createHttpServer((request, response) => {
      if (++requests === 2) request.socket.resetAndDestroy()
      else response.end()
    }))
    const { call, close } = browser(5_000)
    t.after(close)
    await call(url)
    // Only then is the connection free.
    await settle()
    await call(url)
    equal(requests, 3)
  })

  test('fails with the status, with the end of a new connection, and when it has waited too long', async t => {
    const url = await served(t, createHttpServer((request, response) => {
      if (request.url === '/busy') response.writeHead(503).end()
      else if (request.url === '/cut') response.writeHead(200, { 'content-length': 9 }).write('half', () => response.destroy())
      else if (request.url === '/reset') request.socket.resetAndDestroy()
    }))
    const { call, close } = browser(5_000)
    const hasty = browser(100)
    t.after(() => Promise.all([close(), hasty.close()]))
    await rejects(call(`${url}/busy`), new StatusError(503))
    await rejects(call(`${url}/cut`), { code: 'ECONNRESET' })
    await rejects(call(`${url}/reset`), { code: 'ECONNRESET' })
    await rejects(hasty.call(`${url}/hang`), new Error('no answer in time'))
    await rejects(call(CLOSED), { code: 'ECONNREFUSED' })
  })
})

test('each figure to reach is one that is measured, and each scenario has one', () => {
  const figures = SCENARIOS.flatMap(({ name, lanes, group }) =>
    lanes.filter(isOwn).flatMap(lane => COLUMNS[group].map(({ key }) => `harm.${name}.${lane.name}.${key}`)))
  const asked = TARGETS.map(({ figure }) => figure).filter(figure => figure.startsWith('harm.'))
  deepEqual(asked.filter(figure => !figures.includes(figure)), [])
  deepEqual(SCENARIOS.filter(({ name }) => !asked.some(figure => figure.startsWith(`harm.${name}.`))), [])
})

test('the scenarios include those of harm, which can be had alone', () => {
  deepEqual(readSettings(['scenarios']).parts, ['scenarios', 'harm'])
  deepEqual(readSettings(['harm']).parts, ['harm'])
  deepEqual(readSettings(['fleet']).parts, ['fleet'])
  ok(readSettings([]).parts.includes('harm'))
})
