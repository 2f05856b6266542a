import path from 'node:path'
import { ALL, prometheusName } from '../../src/telemetry/instruments.ts'
import { read, ROOT } from '../surface/approved.ts'

/** Where the rules are. */
export const RULES: string = path.join(ROOT, 'observability/alerts.yml')

interface Panel {
  readonly title: string
  readonly type: string
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[]
}

/** As far as tests look into it. */
export interface Dashboard {
  readonly uid: string
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

export const dashboard = JSON.parse(read('observability/grafana-dashboard.json')) as Dashboard

/** The expressions of the dashboard with what Grafana puts in: all of everything, and an interval. */
export const dashboardQueries: readonly { readonly title: string; readonly expr: string; readonly legend: string }[] =
  dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr, legendFormat }) => ({
    title, legend: legendFormat, expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/"\$\w+"/g, '".*"'),
  })))

/** Every name that stands for series: those of the instruments with what a histogram adds. */
export const seriesNames: ReadonlySet<string> = new Set(ALL.flatMap(instrument => {
  const name = prometheusName(instrument)
  return instrument.kind === 'histogram' ? ['_bucket', '_sum', '_count'].map(suffix => name + suffix) : [name]
}))

/** The labels each of those names may have. */
export const labelsOf = (name: string): readonly string[] => {
  const instrument = ALL.find(one => [name, name.replace(/_(bucket|sum|count)$/, '')].includes(prometheusName(one)))
  const own = ['job', 'instance', 'client', ...(instrument?.labels ?? [])]
  return instrument?.kind === 'histogram' ? [...own, 'le'] : own
}

/** The names that rules record. */
export const recordedNames: ReadonlySet<string> =
  new Set([...read('observability/alerts.yml').matchAll(/- record: (\S+)/g)].map(([, name = '']) => name))

/** Every name of ours in a text. */
export const namesIn = (text: string): string[] => [...new Set([...text.matchAll(/\bbreakwater[_:][\w:]+/g)].map(([name]) => name))]
