#!/usr/bin/env node
// The command `vectorium`. Plain JavaScript, so that a Node too old for the rest can still say so.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 24 || (major === 24 && minor < 12)) {
  console.error(
    `vectorium needs Node 24.12 or newer; this is ${process.versions.node}. ` +
      'Use `npm start`, `npm run demo` or `npx vectorium …` in the project: they bring their own Node.',
  );
  process.exit(1);
}
process.on('warning', () => {});
const { main } = await import('./command.ts');
process.exitCode = await main(process.argv.slice(2));
