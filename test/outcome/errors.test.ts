import { deepEqual, doesNotMatch, equal, match, notEqual, ok } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, test } from 'node:test'
import { inspect, promisify } from 'node:util'
import { build } from 'esbuild'
import {
  AttemptTimeoutError, CircuitOpenError, ConnectionError, DeadlineExceededError, DrainingError, LimitExceededError, OptionError,
  RejectedError, ResponseError, StatusError, TimeoutError, UpstreamError,
} from '../../src/index.ts'
import { Reply } from '../../src/outcome/reply.ts'
import { Trace } from '../../src/outcome/trace.ts'
import { ROOT } from '../surface/approved.ts'

/** What must never be seen: it is in the query, in the headers and in the body of what these errors are made of. */
const SECRET = 'hunter2'

const traceOf = (attempts: number): Trace => {
  const trace = new Trace('payments', 'GET', `/orders/7?token=${SECRET}`, 1_000)
  trace.attempts = attempts
  for (let attempt = 1; attempt <= attempts; attempt++) trace.mark(`attempt ${attempt} failed`, 1_000 + attempt * 41)
  return trace
}
const replyOf = (status: number, body: string | Buffer = `{"card":"${SECRET}"}`): Reply =>
  new Reply(status, { 'set-cookie': `session=${SECRET}` }, Buffer.from(body))
const cause = new Error('connect ECONNREFUSED 10.0.0.7:8080')

interface Case {
  readonly make: () => UpstreamError
  readonly kind: new (...args: never[]) => UpstreamError
  readonly message: string
  readonly fields: Record<string, unknown>
}

/** One of each class, and of each way its message can read. */
const CASES: Record<string, Case> = {
  'circuit open': {
    make: () => new CircuitOpenError(traceOf(0), 'failure rate', 412.4), kind: CircuitOpenError,
    message: 'GET /orders/7 on payments: circuit open: failure rate, try again in 412 ms (no attempt in 0 ms)',
    fields: { code: 'ERR_CIRCUIT_OPEN', sent: 'never', reason: 'failure rate', retryAfter: 412.4 },
  },
  'circuit isolated': {
    make: () => new CircuitOpenError(traceOf(0), 'isolated by hand', undefined), kind: CircuitOpenError,
    message: 'GET /orders/7 on payments: circuit open: isolated by hand (no attempt in 0 ms)',
    fields: { code: 'ERR_CIRCUIT_OPEN', sent: 'never', reason: 'isolated by hand' },
  },
  'no permit': {
    make: () => new LimitExceededError(traceOf(0), 'permits', 8), kind: LimitExceededError,
    message: 'GET /orders/7 on payments: all 8 permits are in use and there is no queue (no attempt in 0 ms)',
    fields: { code: 'ERR_LIMIT_EXCEEDED', sent: 'never', kind: 'permits', limit: 8 },
  },
  'queue full': {
    make: () => new LimitExceededError(traceOf(0), 'queue', 9), kind: LimitExceededError,
    message: 'GET /orders/7 on payments: all permits are in use and the queue is full (9 calls waiting) (no attempt in 0 ms)',
    fields: { code: 'ERR_LIMIT_EXCEEDED', sent: 'never', kind: 'queue', limit: 9 },
  },
  'waited too long': {
    make: () => new LimitExceededError(traceOf(0), 'queue timeout', 50), kind: LimitExceededError,
    message: 'GET /orders/7 on payments: queued for 50 ms without getting a permit (no attempt in 0 ms)',
    fields: { code: 'ERR_LIMIT_EXCEEDED', sent: 'never', kind: 'queue timeout', limit: 50 },
  },
  'too many upstreams': {
    make: () => new LimitExceededError(traceOf(0), 'upstreams', 3), kind: LimitExceededError,
    message: 'GET /orders/7 on payments: all 3 upstreams are in use or have an open circuit; raise maxUpstreams '
      + '(no attempt in 0 ms)',
    fields: { code: 'ERR_LIMIT_EXCEEDED', sent: 'never', kind: 'upstreams', limit: 3 },
  },
  'draining': {
    make: () => new DrainingError(traceOf(0)), kind: DrainingError,
    message: 'GET /orders/7 on payments: the client is closing (no attempt in 0 ms)',
    fields: { code: 'ERR_DRAINING', sent: 'never' },
  },
  'deadline': {
    make: () => new DeadlineExceededError(traceOf(2), 81.6, 'back-off', { sent: 'maybe', verdict: 'none' }),
    kind: DeadlineExceededError,
    message: 'GET /orders/7 on payments: deadline of 82 ms exceeded in back-off before a retry (2 attempts in 82 ms)',
    fields: { code: 'ERR_DEADLINE_EXCEEDED', sent: 'maybe', timeout: 81.6, phase: 'back-off' },
  },
  'attempt timeout': {
    make: () => new AttemptTimeoutError(traceOf(1), 2.54, 'connect', { sent: 'never', verdict: 'gateway' }),
    kind: AttemptTimeoutError,
    message: 'GET /orders/7 on payments: attempt timed out after 2.5 ms during connect (1 attempt in 41 ms)',
    fields: { code: 'ERR_ATTEMPT_TIMEOUT', sent: 'never', timeout: 2.54, phase: 'connect' },
  },
  'no connection': {
    make: () => new ConnectionError(traceOf(1), 'ECONNREFUSED', { sent: 'never', blame: 'upstream', cause }),
    kind: ConnectionError,
    message: 'GET /orders/7 on payments: could not connect (ECONNREFUSED) (1 attempt in 41 ms)',
    fields: { code: 'ERR_CONNECTION', sent: 'never', reason: 'ECONNREFUSED', blame: 'upstream' },
  },
  'connection lost': {
    make: () => new ConnectionError(traceOf(1), 'ECONNRESET', { sent: 'maybe', blame: 'nobody', cause }),
    kind: ConnectionError,
    message: 'GET /orders/7 on payments: connection failed (ECONNRESET) (1 attempt in 41 ms)',
    fields: { code: 'ERR_CONNECTION', sent: 'maybe', reason: 'ECONNRESET', blame: 'nobody' },
  },
  'out of descriptors': {
    make: () => new ConnectionError(traceOf(1), 'EMFILE', { sent: 'never', blame: 'process', cause }),
    kind: ConnectionError,
    message: 'GET /orders/7 on payments: this process is out of resources (EMFILE) (1 attempt in 41 ms)',
    fields: { code: 'ERR_CONNECTION', sent: 'never', reason: 'EMFILE', blame: 'process' },
  },
  'bad response': {
    make: () => new ResponseError(traceOf(1), 'malformed: Invalid header token', 'gateway'), kind: ResponseError,
    message: 'GET /orders/7 on payments: invalid response: malformed: Invalid header token (1 attempt in 41 ms)',
    fields: { code: 'ERR_BAD_RESPONSE', sent: 'maybe', reason: 'malformed: Invalid header token' },
  },
  'status': {
    make: () => new StatusError(traceOf(1), replyOf(502)), kind: StatusError,
    message: 'GET /orders/7 on payments: status 502 (1 attempt in 41 ms)',
    fields: { code: 'ERR_STATUS', sent: 'yes', status: 502 },
  },
}

describe('every error', () => {
  for (const [what, { make, kind, message, fields }] of Object.entries(CASES)) {
    test(`${what}: says what happened, in words and in fields`, () => {
      const error = make()
      ok(error instanceof kind && error instanceof UpstreamError && error instanceof Error)
      deepEqual([error.name, error.message, String(error)], [kind.name, message, `${kind.name}: ${message}`])
      const { upstream, method, path, attempts, elapsed, timeline } = error
      deepEqual([upstream, method, path], ['payments', 'GET', '/orders/7'])
      deepEqual([attempts, elapsed, timeline.length], [attempts, attempts * 41, attempts])
      for (const [name, value] of Object.entries(fields)) equal((error as unknown as Record<string, unknown>)[name], value, name)
    })

    test(`${what}: tells a log the same, and what was tried`, () => {
      const error = make()
      const { upstream, method, path, attempts, elapsed, timeline } = error
      deepEqual(JSON.parse(JSON.stringify(error)),
        { name: kind.name, message, upstream, method, path, attempts, elapsed, timeline, ...fields })
    })

    test(`${what}: has a stack of one line, which says why it was not tried again`, () => {
      const error = make()
      error.stopped = 'budget'
      const expected = message.replace(/\)$/, '; gave up: retry budget exhausted)')
      equal(error.message, expected)
      equal(error.stack, `${kind.name}: ${expected}`)
      match(inspect(error), new RegExp(`^\\[${kind.name}: .*; gave up: retry budget exhausted\\)\\]`))
      equal((JSON.parse(JSON.stringify(error)) as { stopped: string }).stopped, 'budget')
    })

    test(`${what}: holds nothing secret`, () => {
      const error = make()
      const seen = [inspect(error, { depth: 9 }), JSON.stringify(error), String(error.stack), Object.values(error).join()]
      for (const text of seen) doesNotMatch(text, new RegExp(SECRET))
    })
  }

  test('is one of a shallow tree', () => {
    for (const name of ['circuit open', 'no permit', 'draining']) ok(CASES[name]!.make() instanceof RejectedError)
    for (const name of ['deadline', 'attempt timeout']) ok(CASES[name]!.make() instanceof TimeoutError)
    for (const name of ['no connection', 'bad response', 'status']) {
      const error = CASES[name]!.make()
      ok(!(error instanceof RejectedError) && !(error instanceof TimeoutError))
    }
  })

  test('leaves stacks as they were for all others', () => {
    const before = Error.stackTraceLimit
    for (const { make } of Object.values(CASES)) make()
    equal(Error.stackTraceLimit, before)
    match(new Error('other').stack ?? '', /\n {4}at /)
  })

  test('can be made where intrinsics are frozen', async () => {
    const script = `import { DrainingError } from './src/outcome/errors.ts'
      import { Trace } from './src/outcome/trace.ts'
      console.log(new DrainingError(new Trace('api', 'GET', '/', 0)).message)`
    const { stdout } = await promisify(execFile)(process.execPath,
      ['--disable-warning=ExperimentalWarning', '--frozen-intrinsics', '--input-type=module', '-e', script],
      { cwd: new URL('../..', import.meta.url) })
    equal(stdout, 'GET / on api: the client is closing (no attempt in 0 ms)\n')
  })
})

describe('causes', () => {
  test('are kept where errors keep them: shown to people, not to logs', () => {
    const error = CASES['no connection']!.make()
    equal(error.cause, cause)
    equal(Object.prototype.propertyIsEnumerable.call(error, 'cause'), false)
    match(inspect(error), /\[cause\]: Error: connect ECONNREFUSED/)
    doesNotMatch(JSON.stringify(error), /10\.0\.0\.7/)
    ok(!Object.hasOwn(CASES['draining']!.make(), 'cause'), 'none where there is none')
  })
})

describe('a status error', () => {
  test('gives its reply to code that asks, and to nobody else', () => {
    const error = new StatusError(traceOf(1), replyOf(404, 'x'.repeat(5_000)))
    equal(error.headers['set-cookie'], `session=${SECRET}`)
    equal(error.body, 'x'.repeat(1_024))
    const shown = Object.keys(error)
    for (const name of ['headers', 'body', 'reply']) ok(!shown.includes(name), name)
  })

  test('is one for its reply, however many ask, and both say why it was not tried again', () => {
    const reply = replyOf(503)
    const error = StatusError.of(traceOf(1), reply)
    equal(StatusError.of(traceOf(1), reply), error)
    equal(reply.stopped, undefined)
    error.stopped = 'not repeatable'
    equal(reply.stopped, 'not repeatable')
    match(error.message, /status 503 \(1 attempt in 41 ms; gave up: request not repeatable\)$/)
  })
})

describe('an option error', () => {
  const error = new OptionError('limit.max', '0', 'a positive integer')

  test('is a TypeError with a stack: it is the caller who must mend it', () => {
    ok(error instanceof TypeError && !(error instanceof UpstreamError))
    deepEqual([error.name, error.code, error.option, error.expected, error.given],
      ['OptionError', 'ERR_OPTION', 'limit.max', 'a positive integer', '0'])
    match(error.stack ?? '', /^OptionError: `limit\.max` must be a positive integer, got 0\n {4}at .*errors\.test/)
  })

  test('may be a sentence of its own', () => {
    const both = new OptionError('body', 'both', 'one of them', '`body` and `json` are mutually exclusive')
    deepEqual([both.message, both.option, both.given, both.expected],
      ['`body` and `json` are mutually exclusive', 'body', 'both', 'one of them'])
  })

  test('tells a log the same', () => {
    deepEqual(JSON.parse(JSON.stringify(error)), {
      name: 'OptionError', code: 'ERR_OPTION', message: '`limit.max` must be a positive integer, got 0',
      option: 'limit.max', expected: 'a positive integer',
    })
  })
})

test('errors keep their names in a bundle that shortens all names', async () => {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [`${ROOT}/src/outcome/errors.ts`], bundle: true, minify: true, write: false, format: 'esm', platform: 'node',
  })
  const minified = await import(`data:text/javascript,${encodeURIComponent(bundle!.text)}`) as Record<string, typeof StatusError>
  for (const { make } of Object.values(CASES)) {
    const { constructor: { name }, code } = make()
    notEqual(minified[name]!.name, name)
    equal((Object.create(minified[name]!.prototype, { code: { value: code } }) as Error).name, name)
  }
})
