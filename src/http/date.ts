/**
 * Parses an HTTP date in any of its three forms (RFC 9110 §5.6.7) to ms since 1970; undefined for anything else.
 */
export function httpDate(text: string): number | undefined {
  // Date.parse alone would accept '2' or '-3' as a year; an HTTP date begins with the name of a day.
  if (!/^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? /i.test(text)) return undefined
  // The oldest of the three forms has no time zone; all three are UTC.
  const at = Date.parse(/gmt$/i.test(text) ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : at
}
