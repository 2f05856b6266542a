import type { HeaderFields } from './headers.ts'

/** Header fields that tell requests apart which ask for the same: those of tracing. */
const TRACING: ReadonlySet<string> = new Set([
  'traceparent', 'tracestate', 'b3', 'x-request-id', 'x-correlation-id', 'request-id', 'sentry-trace', 'uber-trace-id',
  'x-amzn-trace-id', 'x-cloud-trace-context',
])

/** Whether a header field is one of tracing, which says nothing about what is asked for. */
export const isTracing = (name: string): boolean => TRACING.has(name) || name.startsWith('x-b3-')

/** All header fields of a call: the upstream's, and its own over them. */
export const mergedFields = (fromPolicy: HeaderFields, own: HeaderFields | undefined): HeaderFields =>
  (own === undefined ? fromPolicy : { ...fromPolicy, ...own })

/** The resource that is asked for. */
export const uriKey = (upstream: string, target: string): string => `${upstream} ${target}`

/**
 * Two requests of one method have the same key when they ask for the same, as the same: target and all header fields,
 * credentials included, are equal to the letter; only those of tracing may differ.
 */
export function requestKey(upstream: string, target: string, fields: HeaderFields): string {
  // No value has a line break in it (the options see to that), so that none can pass for another field.
  let key = uriKey(upstream, target)
  for (const name of Object.keys(fields).sort()) {
    const value = fields[name]
    if (value === undefined || isTracing(name)) continue
    for (const line of typeof value === 'string' ? [value] : value) key += `\n${name}: ${line}`
  }
  return key
}
