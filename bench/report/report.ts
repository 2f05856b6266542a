import type { PartName } from '../part-names.ts'
import type { Machine } from './machine.ts'

/** How a column's numbers are written. */
export type Unit = 'ratio' | 'µs' | 'ns' | 'ms' | 'bytes' | 'per second' | 'count' | 'share'

/** One column of numbers. */
export interface Column {
  readonly key: string
  readonly title: string
  readonly unit: Unit
}

/** One line: what it is of, and its numbers; those that were not measured are absent. */
export interface Row {
  readonly name: string
  readonly values: Readonly<Record<string, number | undefined>>
  /** Whether it is ours. */
  readonly own?: boolean
}

/** One table of results, which a chart may show as bars. */
export interface Table {
  /** Figures are named `<id>.<row>.<column>`. */
  readonly id: string
  readonly title: string
  /** How it was measured, in a sentence or two. */
  readonly about: string
  readonly columns: readonly Column[]
  readonly rows: readonly Row[]
  /** The column to draw; none is drawn without. */
  readonly chart?: string
}

/** A picture made elsewhere. */
export interface Picture {
  /** Its own among all pictures; the file it is written to is named after it. */
  readonly name: string
  readonly title: string
  readonly svg: string
}

/** One part of the suite. */
export interface Section {
  readonly part: PartName
  readonly title: string
  readonly tables: readonly Table[]
  readonly pictures?: readonly Picture[]
}

/** All there is to say about one run of the suite. */
export interface Report {
  readonly machine: Machine
  readonly sections: readonly Section[]
  readonly judged: readonly Judged[]
}

/** A figure to reach, and whether it was. */
export interface Judged {
  readonly figure: string
  readonly what: string
  readonly bound: string
  readonly value: number | undefined
  readonly unit: Unit
  readonly outcome: 'reached' | 'short' | 'not measured'
  readonly peers: string
}

/** Every number of a report by its figure's name. */
export function figuresOf(sections: readonly Section[]): Map<string, number> {
  const figures = new Map<string, number>()
  for (const { tables } of sections) {
    for (const { id, rows } of tables) {
      for (const { name, values } of rows) {
        for (const [key, value] of Object.entries(values)) {
          if (value !== undefined) figures.set(`${id}.${name}.${key}`, value)
        }
      }
    }
  }
  return figures
}
