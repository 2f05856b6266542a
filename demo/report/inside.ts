import { circuitStates } from '../clients/client.ts'
import { columnWidth, totalOf } from '../phases.ts'
import type { Experiment, Track } from '../run.ts'
import type { Series } from '../series.ts'
import { goodputPanel } from './chart.ts'
import { type Curve, type Panel, plot } from './plot.ts'
import { count } from './words.ts'

/**
 * Draws what went on inside one client, and at its upstream: how the limit, the queues, the budget and the circuit act
 * together. Of a client that cannot tell, what can be seen from outside.
 */
export function insideChart(title: string, { spans, rate, deadline }: Experiment, track: Track): string {
  const { inside, upstream } = track
  const columns = Array.from({ length: totalOf(spans) / columnWidth }, (_, column) => column)
  const curve = <Key extends string>(series: Series<Key>, key: Key, how: Omit<Curve, 'values'>): Curve =>
    ({ ...how, values: columns.map(column => series.at(key, column)) })
  const panel = (title: string, most: number, ...curves: Curve[]): Panel =>
    ({ title, step: columnWidth, most, write: count, height: 92, curves })
  return plot({
    title,
    label: `${title}: the calls over time, and the circuit, limit, queues and budget`,
    spans,
    panels: [
      goodputPanel(track, spans, rate, `${count(rate)} calls/s, deadline ${deadline} ms`),
      ...inside ? [{
        title: 'the circuit', step: columnWidth,
        states: columns.map(column => circuitStates[inside.at('circuit', column)] ?? ''),
      }, panel('the limit', 20,
        curve(inside, 'inFlight', { name: 'in flight', color: 'blue', look: 'area' }),
        curve(inside, 'waiting', { name: 'waiting', color: 'gray', look: 'dashed' }),
        curve(inside, 'limit', { name: 'permits', color: 'orange', look: 'line' }),
      )] : [],
      ...upstream ? [
        panel('the upstream', 20,
          curve(upstream, 'queued', { name: 'requests in its queue', color: 'purple', look: 'area' })),
      ] : [],
      ...inside ? [
        panel('the retry budget', 500, curve(inside, 'tokens', { name: 'tokens', color: 'green', look: 'area' })),
      ] : [],
    ],
  })
}
