"""Who moves a migration, and when: opening, guards, approvals, holds, operators, rollback, retirement."""
