import {
  context, SpanKind, SpanStatusCode, trace, type Context, type Span, type TextMapPropagator, type TextMapSetter, type Tracer,
} from '@opentelemetry/api'
import type { Client } from '../client/client.ts'
import { channels, type AttemptStartEvent } from '../events.ts'
import { methodLabel } from '../telemetry/labels.ts'
import { listen, type Report } from '../telemetry/observe.ts'
import { errorType, outcomeAttributes, serverAttributes } from './attributes.ts'

/** What spans are made with. */
export interface SpanParts {
  readonly tracer: Tracer
  readonly propagator: Pick<TextMapPropagator, 'inject'>
  /** Methods that are told as such. */
  readonly methods: readonly string[]
  readonly report: Report
}

const setter: TextMapSetter<AttemptStartEvent> = { set: (attempt, name, value) => { attempt.setHeader(name, value) } }

/**
 * One span for each call, within whatever was active when it began, and in it one for each attempt, by the conventions for
 * HTTP clients. The span of a call is an internal one: two client spans for one request would count it twice.
 * @returns how to stop.
 */
export function traceClient(client: Client, { tracer, propagator, methods, report }: SpanParts): () => void {
  const calls = new Map<number, { readonly span: Span; readonly within: Context }>()
  // Two attempts of a hedged call are out at once.
  const attempts = new Map<string, Span>()
  // The name of a span must be one of few: anybody may have made up the host of another upstream.
  const configured = new Set(client.snapshot().filter(upstream => upstream.configured).map(({ name }) => name))
  const { on, stop } = listen(client, report)

  const nameOf = (method: string): string => (methods.includes(method) ? method : 'HTTP')
  const methodAttributes = (method: string): Record<string, string> => {
    const told = methodLabel(method, methods)
    return { 'http.request.method': told, ...(told === method ? {} : { 'http.request.method_original': method }) }
  }

  on(channels.callStart, ({ call, upstream, method, path }) => {
    const within = context.active()
    const attributes = {
      ...methodAttributes(method), 'url.path': path, 'breakwater.client': client.name, 'breakwater.upstream': upstream,
    }
    const name = configured.has(upstream) ? `${nameOf(method)} ${upstream}` : nameOf(method)
    const span = tracer.startSpan(name, { kind: SpanKind.INTERNAL, attributes }, within)
    calls.set(call, { span, within: trace.setSpan(within, span) })
  })
  on(channels.attemptStart, event => {
    const { call, endpoint, method, path, attempt } = event
    // Without the start of its call, as we began to listen in the middle of it, there is what is active now.
    const within = calls.get(call)?.within ?? context.active()
    const attributes = {
      ...methodAttributes(method), ...serverAttributes(endpoint), 'url.full': endpoint + path,
      ...(attempt === 1 ? {} : { 'http.request.resend_count': attempt - 1 }),
    }
    const span = tracer.startSpan(nameOf(method), { kind: SpanKind.CLIENT, attributes }, within)
    attempts.set(`${call}/${attempt}`, span)
    propagator.inject(trace.setSpan(within, span), event, setter)
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
    // One that we ended ourselves, as the other was faster, is nobody's failure.
    if (error !== 'superseded' && errorType(status, error) !== undefined) span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  })
  on(channels.retryStopped, ({ call, reason }) => { calls.get(call)?.span.setAttribute('breakwater.retry.stopped', reason) })
  on(channels.callEnd, ({ call, status, error, attempts: made, queued }) => {
    const span = calls.get(call)?.span
    if (span === undefined) return
    calls.delete(call)
    span.setAttributes({ ...outcomeAttributes(status, error), 'breakwater.attempts': made, 'breakwater.queued': queued / 1_000 })
    // Whether a status is an error the caller has said: the call then ended in one.
    if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR })
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
