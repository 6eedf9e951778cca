// Runs before `npm test`: installs Debian's Chromium for the tests of the console, where there is none and this user may. Elsewhere those
// tests say that they are skipped and why.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const chromium = process.env.VECTORIUM_CHROMIUM ?? '/usr/bin/chromium';

if (!existsSync(chromium) && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
  console.error('vectorium: installing Chromium for the tests in a browser (once)…');
  if (!install()) {
    apt('update');
    if (!install()) console.error('vectorium: Chromium could not be installed');
  }
}

function install() {
  return apt('install', '--yes', '--no-install-recommends', 'chromium');
}

function apt(...parameters) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  return spawnSync('apt-get', ['--quiet', ...parameters], { env, stdio: ['ignore', 2, 2] }).status === 0;
}
