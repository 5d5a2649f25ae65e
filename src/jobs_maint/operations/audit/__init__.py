"""Reading the audit trail; stopping long acts and finding lost ones."""
