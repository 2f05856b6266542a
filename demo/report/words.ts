/** A share as a person reads it: `0 %` and `100 %` only when it is exactly that. */
export function percent(share: number): string {
  const value = share * 100
  if (value === 0 || value >= 100) return `${Math.round(value)} %`
  if (value < 0.1) return '< 0.1 %'
  return `${value < 10 || value > 99 ? Math.floor(value * 10) / 10 : Math.round(value)} %`
}

/** Milliseconds as a person reads them. */
export function duration(ms: number): string {
  if (ms < 1) return `${ms < 0.1 ? ms.toFixed(3) : ms.toFixed(2)} ms`
  if (ms < 1000) return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
  return `${Number((ms / 1000).toFixed(2))} s`
}

/** A number with its thousands apart. */
export const count = (value: number): string => value.toLocaleString('en-US')

/** Breaks text into lines of at most so many characters, at spaces; lines but the first are indented. */
export function wrap(text: string, width: number, indent = '  '): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = indent + word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].join('\n')
}
