const blocks = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

/**
 * Draws values as bars of eighth blocks.
 *
 * @param values 0–1, one per column; undefined where nothing is known yet
 * @param rows how many lines tall
 * @returns the lines, top one first; a value of 0 still shows as the thinnest bar
 */
export function bars(values: readonly (number | undefined)[], rows: number): string[][] {
  return Array.from({ length: rows }, (_, row) => {
    const floor = (rows - 1 - row) * 8
    return values.map(value => {
      if (value === undefined) return ' '
      const eighths = Math.max(1, Math.round(Math.min(1, value) * rows * 8))
      return blocks[Math.max(0, Math.min(8, eighths - floor))]!
    })
  })
}

/** Joins cells, colouring each stretch of one colour at once. */
export function paint(cells: readonly string[], colorOf: (index: number) => (text: string) => string): string {
  let line = ''
  let stretch = ''
  cells.forEach((cell, index) => {
    stretch += cell
    const color = colorOf(index)
    if (index + 1 < cells.length && colorOf(index + 1) === color) return
    line += color(stretch)
    stretch = ''
  })
  return line
}
