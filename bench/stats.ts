import type { Column } from './report/report.ts'

/** The middle value; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] ?? NaN : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2
}

/** The value that so great a share of them does not exceed; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN
}

/** The half distance between the quartiles as a share of the median: how much the rounds disagree. */
export function spread(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.round((sorted.length - 1) * share)] ?? NaN
  return (at(0.75) - at(0.25)) / 2 / median(sorted)
}

/** The list begun at another place, so that nobody always runs right after the same neighbour or first. */
export const rotated = <Item>(items: readonly Item[], by: number): Item[] =>
  items.map((_, index) => items[(index + by) % items.length] as Item)

/** A column of which one end is the worse one. */
export type Ranked = Column & { readonly worst: 'least' | 'most' }

/** Figures by the key of their column; those that mean nothing are undefined. */
export type Figures = Readonly<Record<string, number | undefined>>

/** Of each figure the worst of all runs. */
export const worstOf = (columns: readonly Ranked[], runs: readonly Figures[]): Figures =>
  Object.fromEntries(columns.map(({ key, worst }) => {
    const values = runs.map(figures => figures[key]).filter(value => value !== undefined)
    return [key, values.length === 0 ? undefined : Math[worst === 'least' ? 'min' : 'max'](...values)]
  }))
