import type { Client } from '../client/client.ts'
import { channels, type EventChannel } from '../events.ts'
import { INSTRUMENTS as I, type Instrument } from './instruments.ts'
import { methodLabel, OTHER, outcomeOf, statusLabel, type Labels } from './labels.ts'
import type { UpstreamNames } from './upstream-names.ts'

/** Where measurements go. */
export interface Sink {
  /** Counts one. */
  count(instrument: Instrument, labels: Labels): void
  /** Takes in how long something took, in seconds. */
  record(instrument: Instrument, labels: Labels, seconds: number): void
  /** Lets go of all series of an upstream that is gone. */
  forget(upstream: string): void
}

/** Tells what a listener could not do; the call goes on. */
export type Report = (error: unknown) => void

/** Ears for the events of one client. */
export interface Subscriptions {
  /** Listens to a channel. What the listener throws is reported, and ends there. */
  readonly on: <T extends { readonly client: string }>(channel: EventChannel<T>, hear: (event: T) => void) => void
  /** Stops listening to all of them. */
  readonly stop: () => void
}

/** Listens to the events of one client alone. */
export function listen(client: Client, report: Report): Subscriptions {
  const stops: (() => void)[] = []
  return {
    on(channel, hear) {
      const listener = (event: Parameters<typeof hear>[0]): void => {
        if (event.client !== client.name) return
        try {
          hear(event)
        } catch (error) {
          report(error)
        }
      }
      channel.subscribe(listener)
      stops.push(() => { channel.unsubscribe(listener) })
    },
    stop() {
      for (const stop of stops.splice(0)) stop()
    },
  }
}

/** What turns events into measurements. */
export interface Observer {
  readonly names: UpstreamNames
  /** Methods that are told as such. */
  readonly methods: readonly string[]
  readonly sink: Sink
  readonly report: Report
}

/** Turns the events of a client into measurements. @returns how to stop. */
export function observe(client: Client, { names, methods, sink, report }: Observer): () => void {
  const { on, stop } = listen(client, report)
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
    const gone = names.gone(upstream)
    if (gone !== undefined) sink.forget(gone)
  })
  return stop
}
