import type { Target } from '../http/target.ts'
import type { Body, SolidBody, StreamBody } from '../http/body.ts'
import { OptionError } from '../outcome/errors.ts'
import type { CallOptions } from '../options/call-options.ts'
import { isRecord } from '../options/checks.ts'
import { NONE, ownCopy } from '../options/own-properties.ts'
import { isShowable, kindOf, refuse, refuseSecret } from '../options/refuse.ts'
import { checkCall, refuseBoth } from '../options/schema.ts'
import { lowerCased, TOKEN, type HeaderFields } from '../http/headers.ts'

/** A request as the client works with it. */
export interface Request {
  readonly method: string
  /** The origin of the URL; an upstream may have several. */
  readonly origin: string
  /** Path and query, including the query of the options. */
  readonly target: string
  /** Whether the body of the reply is delivered as a stream. */
  readonly streamed: boolean
  readonly headers: HeaderFields | undefined
  readonly body: Body | undefined
  readonly options: CallOptions
}

/** The options of a call without options. */
export const NO_OPTIONS: CallOptions = NONE
const COMMON: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])

/** Makes a request of a call's arguments. @throws OptionError */
export function requestOf(
  method: string, { origin, target }: Target, options: CallOptions | undefined, streamed: boolean,
): Request {
  const name = COMMON.has(method) ? method : methodOf(method)
  if (options === undefined) {
    return { method: name, origin, target, streamed, headers: undefined, body: undefined, options: NO_OPTIONS }
  }
  const given = normalised(options)
  checkCall(given)
  const { json, body, idempotencyKey, query } = given
  const whole = query === undefined ? target : withQuery(target, query)
  let headers = given.headers as HeaderFields | undefined
  if (headers !== undefined) headers = lowerCased(headers)
  if (idempotencyKey !== undefined) headers = { ...headers, 'idempotency-key': idempotencyKey }
  const asked = { method: name, origin, target: whole, streamed, options: given }
  if (json === undefined) return { ...asked, headers, body: bodyOf(body) }
  if (body !== undefined) refuseBoth('body', 'json')
  return { ...asked, headers: { 'content-type': 'application/json', ...headers }, body: stringify(json) }
}

function methodOf(method: string): string {
  const name = typeof method === 'string' ? method.toUpperCase() : ''
  if (!TOKEN.test(name) || name === 'CONNECT') refuse('method', method, 'an HTTP method other than CONNECT')
  return name
}

/** A copy of the own properties: inherited ones are never read. Header fields may be given as pairs. */
function normalised(options: CallOptions): CallOptions {
  if (!isRecord(options)) refuse('options', options, 'a plain object')
  const own = ownCopy(options)
  const headers: unknown = own.headers
  return typeof headers === 'object' && headers !== null && Symbol.iterator in headers
    ? ownCopy(own, { headers: fromPairs(headers as Iterable<unknown>) }) : own
}

/** A name that occurs more than once keeps all its values. */
function fromPairs(pairs: Iterable<unknown>): HeaderFields {
  const fields = new Map<string, unknown>()
  let index = 0
  for (const pair of pairs) {
    const where = `headers[${index++}]`
    if (!Array.isArray(pair) || pair.length !== 2) refuseSecret(where, pair, 'a pair of a name and a value')
    const [name, value] = pair as [unknown, unknown]
    if (typeof name !== 'string') refuseSecret(`${where}[0]`, name, 'a header name')
    const key = name.toLowerCase()
    fields.set(key, fields.has(key) ? [fields.get(key), value].flat() : value)
  }
  return Object.fromEntries(fields) as HeaderFields
}

const JSON_VALUE = 'a value that JSON can represent'

/** A value as JSON. @throws OptionError */
export function stringify(json: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(json)
  } catch (error) {
    const given = error instanceof Error ? error.name : 'an unreadable value'
    throw new OptionError('json', given, JSON_VALUE, `\`json\` cannot be serialized as JSON: ${given}`)
  }
  // Functions and symbols have no JSON.
  if ((text as string | undefined) === undefined) refuseSecret('json', json, JSON_VALUE)
  return text
}

const BODY = 'a string, bytes, a stream or an async iterable'

function bodyOf(body: unknown): Body | undefined {
  if (body === undefined || typeof body === 'function' || isBody(body)) return body as Body | undefined
  return refuseSecret('body', body, `${BODY}, or a function that returns one (send objects as \`json\`)`)
}

const isBody = (body: unknown): body is SolidBody | StreamBody => typeof body === 'string' || body instanceof Uint8Array
  || (typeof body === 'object' && body !== null && Symbol.asyncIterator in body)

/** Calls a body factory for one attempt. @throws OptionError when it returns no body */
export function bodyMadeBy(factory: () => unknown): SolidBody | StreamBody {
  const made = factory()
  if (isBody(made)) return made
  // Its rejection would otherwise be unhandled, and end the process.
  if (made instanceof Promise) made.catch(() => undefined)
  const given = kindOf(made)
  throw new OptionError('body()', given, BODY, `\`body()\` must return ${BODY}, got ${given}`)
}

/** Adds a query to a target (path and query). */
export function withQuery(target: string, query: NonNullable<CallOptions['query']>): string {
  const text = typeof query === 'string' ? encoded(query.replace(/^\?/, '')) : parametersOf(query).toString()
  if (text === '') return target
  return target + (target.includes('?') ? '&' : '?') + text
}

/** Encodes a query by the URL standard, which leaves the characters below unchanged. */
function encoded(query: string): string {
  if (/^[A-Za-z0-9\-._~!$&()*+,;=:@%?/]*$/.test(query)) return query
  const url = new URL('http://localhost')
  url.search = `?${query}`
  return url.search.slice(1)
}

function parametersOf(query: Exclude<CallOptions['query'], string | undefined>): URLSearchParams {
  if (query instanceof URLSearchParams) return query
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    for (const item of Array.isArray(value) ? value as readonly unknown[] : [value]) {
      if (item === undefined) continue
      if (typeof item !== 'string' && typeof item !== 'number' && typeof item !== 'boolean') {
        refuseSecret(`query.${isShowable(name) ? name : '…'}`, item, 'a string, a number, a boolean or an array of them')
      }
      parameters.append(name, String(item))
    }
  }
  return parameters
}

/** The same request with other options. */
export const withOptions = (request: Request, options: CallOptions): Request =>
  ({ ...request, options: ownCopy(request.options, options) })

/** The same request with the rest of its deadline, which then also limits each attempt. */
export function within(request: Request, deadline: number): Request {
  const { attemptTimeout } = request.options
  const attempt = attemptTimeout === undefined ? undefined : { attemptTimeout: Math.min(attemptTimeout, deadline) }
  return withOptions(request, { ...attempt, deadline })
}
