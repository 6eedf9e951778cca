// The pages of the sidebar and the palette, in their order.
import {
  Boxes,
  CreditCard,
  FlaskConical,
  Gauge,
  KeyRound,
  LayoutGrid,
  ListChecks,
  type LucideIcon,
  Settings2,
  Table2,
} from 'lucide-react';

export const pages = [
  { name: 'overview', to: '/', icon: LayoutGrid },
  { name: 'playground', to: '/console/playground', icon: FlaskConical },
  { name: 'datasets', to: '/console/datasets', icon: Table2 },
  { name: 'models', to: '/console/models', icon: Boxes },
  { name: 'jobs', to: '/console/jobs', icon: ListChecks },
  { name: 'keys', to: '/console/keys', icon: KeyRound },
  { name: 'usage', to: '/console/usage', icon: CreditCard },
  { name: 'settings', to: '/console/settings', icon: Settings2 },
  { name: 'operator', to: '/console/operator', icon: Gauge },
] as const satisfies readonly { name: string; to: string; icon: LucideIcon }[];
