import { ok } from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { read, ROOT } from '../surface/approved.ts'
import { manifest } from './packed.ts'

/*
 * How large the core is, without what it depends on: reviewed, so that it grows by decision and not by accident.
 */

const TOLERANCE = 0.02

test('the core is as large as has been reviewed', async t => {
  const { outputFiles: [bundle] } = await build({
    entryPoints: [path.join(ROOT, 'src/index.ts')], external: Object.keys(manifest.dependencies),
    bundle: true, minify: true, write: false, format: 'esm', platform: 'node', target: 'node22',
  })
  const [minified, packed] = [bundle!.contents.length, gzipSync(bundle!.contents, { level: 9 }).length]
  t.diagnostic(`${minified} bytes minified, ${packed} of them gzipped`)
  const { core } = JSON.parse(read('test/package/size.json')) as { core: { minified: number; gzipped: number } }
  for (const [now, known] of [[minified, core.minified], [packed, core.gzipped]] as const) {
    ok(Math.abs(now - known) <= known * TOLERANCE, `${now} bytes, reviewed were ${known}: if it should be so, write it down`)
  }
})
