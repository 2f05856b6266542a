import { createLogUpdate } from 'log-update'

/** Shows how far a run has come. */
export interface Progress {
  /** A part begins; so many steps are to come. */
  begin(title: string, steps: number): void
  /** A step begins. */
  step(what: string): void
  /** The part has ended. */
  end(): void
}

const WIDTH = 24

/** One line that is drawn over and over on a terminal; elsewhere a line now and then. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  const isLive = stream.isTTY && !process.env['CI'] && process.env['TERM'] !== 'dumb'
  const update = isLive ? createLogUpdate(stream) : undefined
  let [title, steps, done, began, toldAt] = ['', 1, -1, 0, 0]
  const seconds = (): number => Math.round((performance.now() - began) / 1000)
  return {
    begin(name, count) {
      [title, steps, done, began, toldAt] = [name, count, -1, performance.now(), 0]
      if (update === undefined) stream.write(`${title}: ${steps} steps\n`)
    },
    step(what) {
      done = Math.min(done + 1, steps)
      const filled = Math.round(done / steps * WIDTH)
      const line = `${title} ${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${done}/${steps}, ${seconds()} s  ${what}`
      if (update !== undefined) update(line)
      else if (performance.now() - toldAt > 5_000) {
        toldAt = performance.now()
        stream.write(`  ${done}/${steps}, ${seconds()} s: ${what}\n`)
      }
    },
    end() {
      const line = `${title}: done in ${seconds()} s`
      if (update === undefined) stream.write(`${line}\n`)
      else {
        update(line)
        update.done()
      }
    },
  }
}
