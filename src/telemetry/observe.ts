import type { Client } from '../client/client.ts'
import { channels, type EventChannel } from '../events.ts'
import { INSTRUMENTS as I, type Instrument } from './instruments.ts'
import { methodLabel, OTHER, outcomeOf, statusLabel, type Labels } from './labels.ts'
import type { UpstreamNames } from './upstream-names.ts'

/** A destination for measurements. */
export interface Sink {
  /** Counts one. */
  count(instrument: Instrument, labels: Labels): void
  /** Records a duration, in seconds. */
  record(instrument: Instrument, labels: Labels, seconds: number): void
  /** Removes all series of an upstream. */
  forget(upstream: string): void
}

/** Handles the error of a listener; the call continues. */
export type OnError = (error: unknown) => void

/** Subscriptions to the events of one client. */
export interface Subscriptions {
  /** Subscribes to a channel. An error that the listener throws is reported and does not affect the call. */
  readonly on: <T extends { readonly client: string }>(channel: EventChannel<T>, listener: (event: T) => void) => void
  /** Ends all subscriptions. */
  readonly stop: () => void
}

/** Subscribes to the events of one client alone. */
export function listen(client: Client, onError: OnError): Subscriptions {
  const stops: (() => void)[] = []
  return {
    on(channel, listener) {
      const guarded = (event: Parameters<typeof listener>[0]): void => {
        if (event.client !== client.name) return
        try {
          listener(event)
        } catch (error) {
          onError(error)
        }
      }
      channel.subscribe(guarded)
      stops.push(() => { channel.unsubscribe(guarded) })
    },
    stop() {
      for (const stop of stops.splice(0)) stop()
    },
  }
}

/** How events are turned into measurements. */
export interface Observer {
  readonly names: UpstreamNames
  /** Methods with a label of their own. */
  readonly methods: readonly string[]
  readonly sink: Sink
  readonly onError: OnError
}

/** Turns the events of a client into measurements. @returns a function that stops it. */
export function observe(client: Client, { names, methods, sink, onError }: Observer): () => void {
  const { on, stop } = listen(client, onError)
  const endpointLabel = (upstream: string, endpoint: string): string => (upstream === OTHER ? OTHER : endpoint)

  on(channels.callEnd, event => {
    const { status, error = '', attempts, duration, queued } = event
    const upstream = names.of(event.upstream)
    sink.count(I.calls, { upstream, method: methodLabel(event.method, methods), status: statusLabel(status), error })
    sink.record(I.callDuration, { upstream, outcome: outcomeOf(status, error, attempts) }, duration / 1_000)
    sink.record(I.queueDuration, { upstream }, queued / 1_000)
  })
  on(channels.refused, ({ upstream, error, kind = '' }) => {
    sink.count(I.refused, { upstream: names.of(upstream), error, kind })
  })
  on(channels.rescued, ({ upstream, by, error }) => { sink.count(I.rescued, { upstream: names.of(upstream), by, error }) })
  on(channels.joined, ({ upstream }) => { sink.count(I.joined, { upstream: names.of(upstream) }) })
  on(channels.attemptEnd, event => {
    const { verdict, status, error = '', duration } = event
    const upstream = names.of(event.upstream)
    const endpoint = endpointLabel(upstream, event.endpoint)
    sink.count(I.attempts, { upstream, endpoint, verdict, status: statusLabel(status), error })
    sink.record(I.attemptDuration, { upstream, endpoint }, duration / 1_000)
  })
  on(channels.retry, ({ upstream }) => { sink.count(I.retries, { upstream: names.of(upstream) }) })
  on(channels.hedge, ({ upstream }) => { sink.count(I.hedges, { upstream: names.of(upstream) }) })
  on(channels.retryStopped, ({ upstream, reason }) => { sink.count(I.retriesStopped, { upstream: names.of(upstream), reason }) })
  on(channels.circuit, event => {
    const upstream = names.of(event.upstream)
    sink.count(I.circuitChanges, { upstream, endpoint: endpointLabel(upstream, event.endpoint), to: event.to })
  })
  on(channels.upstreamMade, ({ upstream }) => { names.made(upstream) })
  on(channels.upstreamGone, ({ upstream }) => {
    const label = names.gone(upstream)
    if (label !== undefined) sink.forget(label)
  })
  return stop
}
