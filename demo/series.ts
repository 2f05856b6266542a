import type { Part } from './messages.ts'
import { columnWidth } from './phases.ts'

/** Numbers per {@link columnWidth} of time, one row per key, all rows of one length. */
export class Series<Key extends string> {
  readonly #keys: readonly Key[]
  readonly #rows: Record<Key, number[]>

  constructor(keys: readonly Key[]) {
    this.#keys = keys
    this.#rows = Object.fromEntries(keys.map(key => [key, []])) as unknown as Record<Key, number[]>
  }

  /** The column that holds a moment, in milliseconds since the start. */
  static columnAt(elapsed: number): number {
    return Math.max(0, Math.floor(elapsed / columnWidth))
  }

  /** How many columns there are. */
  get length(): number {
    return (this.#rows[this.#keys[0] as Key]).length
  }

  /** One value; 0 where nothing was noted. */
  at(key: Key, column: number): number {
    return this.#rows[key][column] ?? 0
  }

  /** Adds to one value. */
  add(key: Key, column: number, amount = 1): void {
    this.#reach(column)
    this.#rows[key][column] = this.at(key, column) + amount
  }

  /** Raises one value to an amount that is larger. */
  raise(key: Key, column: number, amount: number): void {
    this.#reach(column)
    this.#rows[key][column] = Math.max(this.at(key, column), amount)
  }

  /** The sum over columns `from` to before `to`. */
  sum(key: Key, from: number, to: number): number {
    return this.#rows[key].slice(from, to).reduce((sum, value) => sum + value, 0)
  }

  /** The largest over columns `from` to before `to`. */
  max(key: Key, from: number, to: number): number {
    return this.#rows[key].slice(from, to).reduce((max, value) => Math.max(max, value), 0)
  }

  /** What is noted from a column on, to be sent. */
  part(from: number): Part<Key> {
    const entries = this.#keys.map(key => [key, this.#rows[key].slice(from)])
    return { from, columns: Object.fromEntries(entries) as Record<Key, number[]> }
  }

  /** Takes over what another process has noted. */
  merge(part: Part<Key>): void {
    for (const key of this.#keys) {
      part.columns[key].forEach((value, index) => {
        this.#reach(part.from + index)
        this.#rows[key][part.from + index] = value
      })
    }
  }

  #reach(column: number): void {
    for (const key of this.#keys) {
      const row = this.#rows[key]
      while (row.length <= column) row.push(0)
    }
  }
}
