/** An open-loop load: calls are due by the clock alone, however late the replies are. */
export interface Load {
  /** Calls per second. */
  readonly rate: number
  /** How long, in milliseconds. */
  readonly length: number
  /** Milliseconds since the load's start; negative before it. */
  readonly elapsed: () => number
  /** Makes one call; it was due so many milliseconds ago. */
  readonly call: (late: number) => void
}

/** How often the driver looks at what is due, in milliseconds. */
const tick = 4
/** At most this many seconds' worth of calls at once: a stall is caught up with, not fired off in one burst. */
const burst = 0.012

/** Makes the calls that are due, oldest first; returns how many have been made in all. */
export function catchUp(load: Load, made: number): number {
  const elapsed = load.elapsed()
  const due = elapsed < 0 ? 0 : Math.ceil(Math.min(elapsed, load.length) * load.rate / 1000)
  const until = Math.min(due, made + Math.max(4, Math.ceil(load.rate * burst)))
  for (let index = made; index < until; index += 1) load.call(Math.max(0, elapsed - index * 1000 / load.rate))
  return until
}

/** Runs a load; settles when its time is over. What is still due then is left out: nobody would count it. */
export const drive = (load: Load): Promise<void> => new Promise(resolve => {
  let made = 0
  const timer = setInterval(() => {
    if (load.elapsed() >= load.length) {
      clearInterval(timer)
      resolve()
    } else {
      made = catchUp(load, made)
    }
  }, tick)
})
