/** Names that are listed in an error at most. */
const LISTED = 40

/**
 * What to say of a name that is not known: which one was probably meant, or which ones there are.
 *
 * @param show - how the name that was meant is written
 */
export function suggest(name: string, known: readonly string[], show: (name: string) => string): string {
  const meant = nearest(name, known)
  return meant === undefined ? `expected ${listed(known)}` : `did you mean ${show(meant)}?`
}

/** E.g. `one of a, b, c`. */
export function listed(known: readonly string[]): string {
  const more = known.length > LISTED ? `, … (${known.length} in all)` : ''
  return `one of ${known.slice(0, LISTED).join(', ')}${more}`
}

/** The known name that takes the fewest edits, if it takes few: up to two, and one for every three characters. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const most = Math.min(2, Math.floor(name.length / 3))
  const all = known.map(other => ({ other, edits: editsBetween(name.toLowerCase(), other.toLowerCase(), most) }))
  const [best] = all.filter(({ edits }) => edits <= most).sort((a, b) => a.edits - b.edits)
  return best?.other
}

/** Insertions, deletions and substitutions that turn one text into another, two neighbours exchanged counting as one. */
function editsBetween(from: string, to: string, most: number): number {
  if (Math.abs(from.length - to.length) > most) return Infinity
  let before: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const next = [row]
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1]
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      next.push(Math.min(
        at(last, column) + 1, at(next, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(before, column - 2) + 1 : Infinity,
      ))
    }
    before = last
    last = next
  }
  return at(last, to.length)
}

const at = (row: readonly number[], column: number): number => row[column] ?? Infinity
