const origin = Number(process.hrtime.bigint()) / 1e6 - performance.now()

/**
 * Milliseconds on the machine's monotonic clock, which all processes of the demo share: a moment that one of them
 * names is the same moment in the others.
 */
export const now = (): number => origin + performance.now()
