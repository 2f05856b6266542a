import {
  context, SpanKind, SpanStatusCode, trace, type Context, type Span, type TextMapPropagator, type TextMapSetter, type Tracer,
} from '@opentelemetry/api'
import type { Client } from '../client/client.ts'
import { channels, type AttemptStartEvent } from '../events.ts'
import { methodLabel } from '../telemetry/labels.ts'
import { listen, type OnError } from '../telemetry/observe.ts'
import { errorType, outcomeAttributes, serverAttributes } from './attributes.ts'

/** How spans are created. */
export interface Tracing {
  readonly tracer: Tracer
  readonly propagator: Pick<TextMapPropagator, 'inject'>
  /** Methods that appear in span names; others are `HTTP`. */
  readonly methods: readonly string[]
  readonly onError: OnError
}

const setter: TextMapSetter<AttemptStartEvent> = { set: (attempt, name, value) => { attempt.setHeader(name, value) } }

/**
 * Creates a span for each call, as a child of the active span, and in it one for each attempt, by the conventions for HTTP
 * clients. The span of a call is internal: two client spans for one request would count it twice.
 * @returns a function that stops it.
 */
export function traceClient(client: Client, { tracer, propagator, methods, onError }: Tracing): () => void {
  // `parent` is the parent context of the call's attempts.
  const calls = new Map<number, { readonly span: Span; readonly parent: Context }>()
  // By call and attempt, as a hedged call has two attempts in flight.
  const attempts = new Map<string, Span>()
  // Span names must have a low cardinality, so only configured upstreams appear in them: other hosts are unbounded.
  const configured = new Set(client.snapshot().filter(upstream => upstream.configured).map(({ name }) => name))
  const { on, stop } = listen(client, onError)

  const nameOf = (method: string): string => (methods.includes(method) ? method : 'HTTP')
  const methodAttributes = (method: string): Record<string, string> => {
    const label = methodLabel(method, methods)
    return { 'http.request.method': label, ...(label === method ? {} : { 'http.request.method_original': method }) }
  }

  on(channels.callStart, ({ call, upstream, method, path }) => {
    const parent = context.active()
    const attributes = {
      ...methodAttributes(method), 'url.path': path, 'breakwater.client': client.name, 'breakwater.upstream': upstream,
    }
    const name = configured.has(upstream) ? `${nameOf(method)} ${upstream}` : nameOf(method)
    const span = tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes }, parent)
    calls.set(call, { span, parent: trace.setSpan(parent, span) })
  })
  on(channels.attemptStart, event => {
    const { call, endpoint, method, path, attempt } = event
    // The call has no span if it started before the instrumentation; then the active context is the parent.
    const parent = calls.get(call)?.parent ?? context.active()
    const attributes = {
      ...methodAttributes(method), ...serverAttributes(endpoint), 'url.full': endpoint + path,
      ...(attempt === 1 ? {} : { 'http.request.resend_count': attempt - 1 }),
    }
    const span = tracer.startSpan(nameOf(method), { kind: SpanKind.CLIENT, attributes }, parent)
    attempts.set(`${call}/${attempt}`, span)
    propagator.inject(trace.setSpan(parent, span), event, setter)
  })
  on(channels.attemptEnd, ({ call, attempt, status, error, protocol, verdict }) => {
    const key = `${call}/${attempt}`
    const span = attempts.get(key)
    if (span === undefined) return
    attempts.delete(key)
    span.setAttributes({
      ...outcomeAttributes(status, error), 'breakwater.verdict': verdict,
      ...(protocol === undefined ? {} : { 'network.protocol.version': protocol }),
    })
    // An attempt that was cancelled because another one was faster has not failed.
    if (error !== 'superseded' && errorType(status, error) !== undefined) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  })
  on(channels.retryStopped, ({ call, reason }) => { calls.get(call)?.span.setAttribute('breakwater.retry.stopped', reason) })
  on(channels.callEnd, ({ call, status, error, attempts: made, queued }) => {
    const span = calls.get(call)?.span
    if (span === undefined) return
    calls.delete(call)
    span.setAttributes({ ...outcomeAttributes(status, error), 'breakwater.attempts': made, 'breakwater.queued': queued / 1_000 })
    // With `throwOnStatus: false` a status is no error of the call.
    if (errorType(undefined, error) !== undefined) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  })
  return () => {
    stop()
    for (const span of attempts.values()) span.end()
    for (const { span } of calls.values()) span.end()
    attempts.clear()
    calls.clear()
  }
}
