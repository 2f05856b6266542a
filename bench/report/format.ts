import type { Unit } from './report.ts'

const scaled = (value: number, steps: readonly (readonly [number, string])[]): string => {
  const [size, name] = steps.find(([size]) => Math.abs(value) >= size) ?? steps.at(-1) ?? [1, '']
  return `${digits(value / size)} ${name}`
}

/** Three digits that count, or all those before the point. */
export const digits = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)))

const WRITTEN: Readonly<Record<Unit, (value: number) => string>> = {
  'ratio': value => (value < 10 ? String(Number(value.toFixed(3))) : value.toFixed(1)),
  'ns': value => scaled(value, [[1e6, 'ms'], [1e3, 'µs'], [1, 'ns']]),
  'µs': value => scaled(value, [[1e3, 'ms'], [1, 'µs']]),
  'ms': value => scaled(value, [[1e3, 's'], [1, 'ms'], [1e-3, 'µs']]),
  'bytes': value => scaled(value, [[1024 ** 2, 'MiB'], [1024, 'KiB'], [1, 'B']]),
  'per second': value => `${digits(value)}/s`,
  'count': digits,
  'share': value => `${Number((value * 100).toFixed(1))} %`,
}

/** Writes a number for a person; what was not measured is a dash. */
export function written(value: number | undefined, unit: Unit): string {
  if (value === undefined || Number.isNaN(value)) return '–'
  return value === Infinity ? 'never' : WRITTEN[unit](value)
}
