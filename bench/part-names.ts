/** The parts, in the order they are run. */
export const PARTS = ['overhead', 'layers', 'scale', 'scenarios', 'harm', 'fleet'] as const

/** One of {@link PARTS}. */
export type PartName = typeof PARTS[number]
