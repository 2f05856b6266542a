import pc from 'picocolors'

/** What colours text, or leaves it as it is. */
export type Colors = ReturnType<typeof pc.createColors>

/** Colours for a person's terminal; none for a file, and none where NO_COLOR is set. */
export const colorsFor = (stream: { readonly isTTY?: boolean }): Colors =>
  pc.createColors(pc.isColorSupported && (stream.isTTY === true || Boolean(process.env['FORCE_COLOR'])))
