/**
 * Reads an HTTP date in any of its three forms (RFC 9110 §5.6.7), as ms since 1970; undefined for anything else.
 */
export function httpDate(text: string): number | undefined {
  // Date.parse alone would take '2' or '-3' for a year; an HTTP date begins with the name of a day.
  if (!/^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? /i.test(text)) return undefined
  // The oldest of its three forms names no zone; all three are UTC.
  const at = Date.parse(/gmt$/i.test(text) ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : at
}
