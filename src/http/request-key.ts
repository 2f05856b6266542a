import type { HeaderFields } from './headers.ts'

/** Tracing header fields, which differ between requests that are otherwise identical. */
const TRACING: ReadonlySet<string> = new Set([
  'traceparent', 'tracestate', 'b3', 'x-request-id', 'x-correlation-id', 'request-id', 'sentry-trace', 'uber-trace-id',
  'x-amzn-trace-id', 'x-cloud-trace-context',
])

/** Whether a header field is a tracing header, which does not affect the reply. */
export const isTracing = (name: string): boolean => TRACING.has(name) || name.startsWith('x-b3-')

/** All header fields of a call: the upstream's, overridden by its own. */
export const mergedFields = (fromPolicy: HeaderFields, own: HeaderFields | undefined): HeaderFields =>
  (own === undefined ? fromPolicy : { ...fromPolicy, ...own })

/** The key of the requested resource. */
export const uriKey = (upstream: string, target: string): string => `${upstream} ${target}`

/**
 * The key of a request. Two requests with the same method have the same key when their target and all header fields,
 * credentials included, are identical; only tracing headers may differ.
 */
export function requestKey(upstream: string, target: string, fields: HeaderFields): string {
  // No value contains a line break (the options check that), so a value cannot pose as another field.
  let key = uriKey(upstream, target)
  for (const name of Object.keys(fields).sort()) {
    const value = fields[name]
    if (value === undefined || isTracing(name)) continue
    for (const line of typeof value === 'string' ? [value] : value) key += `\n${name}: ${line}`
  }
  return key
}
