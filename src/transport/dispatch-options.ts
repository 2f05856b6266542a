import type { Dispatcher } from 'undici'
import type { Call } from '../call/call.ts'
import type { StreamBody } from '../http/body.ts'
import { TOKEN, type HeaderFields } from '../http/headers.ts'
import { errors } from './undici.ts'

/** The options of a dispatched request; undici's types lack `allowH2`. */
export type DispatchOptions = Dispatcher.DispatchOptions & { allowH2?: boolean }
/** Header fields as undici accepts them: a flat list of names and values, or an object. */
type RequestHeaders = NonNullable<DispatchOptions['headers']>
/** Alternating names and values; a value may be an array, which undici's types do not say. */
type Flat = unknown[]

/** Characters that undici refuses in a path. */
const UNSENDABLE = /[^\u0021-\u00ff]/

const invalid = (message: string): never => {
  throw new errors.InvalidArgumentError(message)
}

/**
 * Checks the caller's handler as undici would, which never sees it, and the options that are used here; undici checks the other
 * options. @throws undici's InvalidArgumentError
 */
export function checkDispatchOptions(options: DispatchOptions, handler: Dispatcher.DispatchHandler): void {
  if (typeof options.path !== 'string') invalid('path must be a string')
  // What undici refuses must not get into errors and logs before that, when a call is refused by an open circuit.
  if (UNSENDABLE.test(options.path)) invalid('invalid request path')
  if (typeof options.method !== 'string') invalid('method must be a string')
  if (!TOKEN.test(options.method)) invalid('invalid request method')
  const required = options.upgrade || options.method === 'CONNECT'
    ? ['onRequestStart', 'onResponseError', 'onRequestUpgrade'] as const
    : ['onRequestStart', 'onResponseError', 'onResponseStart', 'onResponseData', 'onResponseEnd'] as const
  for (const name of required) if (typeof handler[name] !== 'function') invalid(`invalid ${name} method`)
  for (const name of ['onBodySent', 'onRequestSent'] as const) {
    if (handler[name] !== undefined && typeof handler[name] !== 'function') invalid(`invalid ${name} method`)
  }
}

/** The path for traces and errors; of an absolute URL only its path, as the rest may hold credentials. */
export const pathOf = ({ path }: DispatchOptions): string =>
  (path.startsWith('/') || !path.includes('://') || !URL.canParse(path) ? path : new URL(path).pathname)

/** The body, if it is a stream or an iterable, which can be sent only once; Blobs and forms can be read again. */
export function oneShotBody({ body }: DispatchOptions): StreamBody | undefined {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return undefined
  const { [Symbol.toStringTag]: tag, [Symbol.iterator]: each, [Symbol.asyncIterator]: eachLater } = body as
    unknown as Record<symbol, unknown>
  if (tag === 'Blob' || tag === 'File' || tag === 'FormData') return undefined
  // undici refuses what is neither a stream nor iterable.
  return isStream(body) || typeof each === 'function' || typeof eachLater === 'function' ? body as StreamBody : undefined
}

/** Whether undici treats a body as a stream. */
export const isStream = (body: unknown): body is NodeJS.ReadableStream =>
  typeof body === 'object' && body !== null && 'pipe' in body && typeof (body as NodeJS.ReadableStream).on === 'function'

/** Header fields that can be read repeatedly: an iterable of pairs becomes a flat list. */
export function rereadable(headers: DispatchOptions['headers']): RequestHeaders | undefined {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return headers ?? undefined
  if (Object.getPrototypeOf(headers) === Object.prototype && !Object.hasOwn(headers, Symbol.iterator)) return headers
  if (typeof (headers as { [Symbol.iterator]?: unknown })[Symbol.iterator] !== 'function') return headers
  const flat: Flat = []
  for (const pair of headers as Iterable<unknown>) {
    if (!Array.isArray(pair) || pair.length !== 2) invalid('headers must be in key-value pair format')
    flat.push(...pair as unknown[])
  }
  return flat as string[]
}

const namesOf = (headers: RequestHeaders | undefined): string[] => {
  if (headers === undefined) return []
  const names: unknown[] = Array.isArray(headers) ? headers.filter((_, index) => index % 2 === 0) : Object.keys(headers)
  // undici refuses invalid names.
  return names.map(name => String(name).toLowerCase())
}

/** The value of a field; the case of its name does not matter. */
export function fieldOf(headers: DispatchOptions['headers'], name: string): unknown {
  const index = namesOf(headers ?? undefined).indexOf(name)
  if (index === -1) return undefined
  return Array.isArray(headers) ? headers[2 * index + 1] : Object.values(headers ?? {})[index]
}

/** The name of a field that must not be sent over HTTP/2 (RFC 9113 §8.2.2), if there is one; undici itself refuses the others. */
export function forbiddenOverHttp2(headers: DispatchOptions['headers']): string | undefined {
  const te = fieldOf(headers, 'te')
  if (te !== undefined && te !== 'trailers') return 'te'
  return ['proxy-connection', 'http2-settings'].find(name => fieldOf(headers, name) !== undefined)
}

/**
 * The caller's header fields in their order, without those that `over` overrides; then the fields of `over`, and those of `under`
 * that neither sets.
 */
export function withFields(
  headers: RequestHeaders | undefined, under: HeaderFields, over: HeaderFields = {},
): RequestHeaders | undefined {
  if (Object.keys(under).length === 0 && Object.keys(over).length === 0) return headers
  const flat: Flat = Array.isArray(headers) ? [...headers] : Object.entries(headers ?? {}).flat()
  const kept = flat.filter((_, index) => !Object.hasOwn(over, String(flat[index - index % 2]).toLowerCase()))
  const names = namesOf(headers)
  for (const [name, value] of Object.entries({ ...under, ...over })) {
    if (value !== undefined && (Object.hasOwn(over, name) || !names.includes(name))) kept.push(name, value)
  }
  return kept as string[]
}

/**
 * The header fields of one relayed attempt, in rising precedence: the upstream's, the caller's, those added by event listeners,
 * and the deadline header.
 */
export function relayedHeaders(headers: RequestHeaders | undefined, call: Call): RequestHeaders | undefined {
  const { headers: fields, deadlineHeader } = call.policy
  if (deadlineHeader === false) return withFields(headers, fields, call.added)
  const left = String(Math.max(0, Math.floor(call.deadlineAt - call.at)))
  return withFields(headers, fields, { ...call.added, [deadlineHeader.toLowerCase()]: left })
}
