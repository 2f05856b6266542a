import type { Dispatcher } from 'undici'
import type { Call } from '../call/call.ts'
import type { StreamBody } from '../http/body.ts'
import type { HeaderFields } from '../http/headers.ts'
import { errors } from './undici.ts'

/** What may be asked of a dispatcher; undici's types leave out the last. */
export type DispatchOptions = Dispatcher.DispatchOptions & { allowH2?: boolean }
/** Header fields as undici takes them: a flat list of names and values, or an object. */
type Headers = NonNullable<DispatchOptions['headers']>
/** Names and values in turn; a value may be a list, though undici's types don't say so. */
type Flat = unknown[]

const invalid = (message: string): never => {
  throw new errors.InvalidArgumentError(message)
}

/**
 * Checks what undici would check of a caller's handler, as it only gets to see ours, and what must be known of the options
 * here; the rest of them is undici's own affair. @throws undici's InvalidArgumentError
 */
export function checkDispatchOptions(asked: DispatchOptions, handler: Dispatcher.DispatchHandler): void {
  if (typeof asked.path !== 'string') invalid('path must be a string')
  if (typeof asked.method !== 'string') invalid('method must be a string')
  const wanted = asked.upgrade || asked.method === 'CONNECT'
    ? ['onRequestStart', 'onResponseError', 'onRequestUpgrade'] as const
    : ['onRequestStart', 'onResponseError', 'onResponseStart', 'onResponseData', 'onResponseEnd'] as const
  for (const name of wanted) if (typeof handler[name] !== 'function') invalid(`invalid ${name} method`)
  for (const name of ['onBodySent', 'onRequestSent'] as const) {
    if (handler[name] !== undefined && typeof handler[name] !== 'function') invalid(`invalid ${name} method`)
  }
}

/** The path for traces and errors; that of an absolute URL without what it may hold of credentials. */
export const pathOf = ({ path }: DispatchOptions): string =>
  (path.startsWith('/') || !path.includes('://') || !URL.canParse(path) ? path : new URL(path).pathname)

/** A body that is gone once it has been sent; Blobs and forms can be read again. */
export function oneShot({ body }: DispatchOptions): StreamBody | undefined {
  if (typeof body !== 'object' || body === null || ArrayBuffer.isView(body) || body instanceof ArrayBuffer) return undefined
  const tag = (body as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag]
  return tag === 'Blob' || tag === 'File' || tag === 'FormData' ? undefined : body as StreamBody
}

/** Header fields that can be read more than once: what undici would read as pairs becomes a flat list. */
export function readable(headers: DispatchOptions['headers']): Headers | undefined {
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

const namesOf = (headers: Headers | undefined): string[] => {
  if (headers === undefined) return []
  const names: unknown[] = Array.isArray(headers) ? headers.filter((_, index) => index % 2 === 0) : Object.keys(headers)
  // A name that is none is for undici to refuse.
  return names.map(name => String(name).toLowerCase())
}

/** The value of a field, whatever the case of its name. */
export function fieldOf(headers: DispatchOptions['headers'], name: string): unknown {
  const index = namesOf(headers ?? undefined).indexOf(name)
  if (index === -1) return undefined
  return Array.isArray(headers) ? headers[2 * index + 1] : Object.values(headers ?? {})[index]
}

/**
 * The caller's header fields as they are, in their order, but for those that stand over them; then these, and the upstream's
 * that neither sets.
 */
export function withFields(headers: Headers | undefined, under: HeaderFields, over: HeaderFields = {}): Headers | undefined {
  if (Object.keys(under).length === 0 && Object.keys(over).length === 0) return headers
  const flat: Flat = Array.isArray(headers) ? [...headers] : Object.entries(headers ?? {}).flat()
  const kept = flat.filter((_, index) => !Object.hasOwn(over, String(flat[index - index % 2]).toLowerCase()))
  const names = namesOf(headers)
  for (const [name, value] of Object.entries({ ...under, ...over })) {
    if (value !== undefined && (Object.hasOwn(over, name) || !names.includes(name))) kept.push(name, value)
  }
  return kept as string[]
}

/** The header fields of one attempt: the upstream's, over them the caller's, over both the listeners', and the deadline's. */
export function relayHeaders(headers: Headers | undefined, call: Call): Headers | undefined {
  const { headers: fields, deadlineHeader } = call.policy
  if (deadlineHeader === false) return withFields(headers, fields, call.added)
  const left = String(Math.max(0, Math.floor(call.deadlineAt - call.at)))
  return withFields(headers, fields, { ...call.added, [deadlineHeader.toLowerCase()]: left })
}
