// The door of billing: what people see of their money, budgets and their alerts, invoices, and payments.
export { createBudgetAlerts, type BudgetAlerts } from './alerts.ts';
export { createStripePayments, type Payments } from './payments.ts';
export { mountBillingRoutes, shownPlan } from './routes.ts';
