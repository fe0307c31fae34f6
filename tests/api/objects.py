"""The objects of the API's tests: a parent, a child with every field type, and one the API does not serve."""

ACCOUNT = """
name: api_account
label: Account
pluralLabel: Accounts
nameField: name
searchableFields: [name]
sharingModel: public_read_write
enable: {searchable: true}
fields:
  name: {type: text, label: Name, required: true, unique: true, maxLength: 80}
  industry: {type: select, label: Industry, options: [{value: tech, label: Tech}, {value: retail, label: Retail}]}
  employees: {type: number, label: Employees, min: 0}
  code: {type: text, label: Code, externalId: true, unique: true}
permission_sets:
  api_sales: {allowRead: true, allowCreate: true, allowEdit: true}
"""
LEAD = """
name: api_lead
label: Lead
pluralLabel: Leads
nameField: name
searchableFields: [name, company]
sharingModel: private
fields:
  name: {type: text, label: Name, required: true, maxLength: 40}
  company: {type: text, label: Company}
  notes: {type: textarea, label: Notes}
  email: {type: email, label: Email}
  website: {type: url, label: Website}
  phone: {type: phone, label: Phone}
  status:
    type: select
    label: Status
    defaultValue: new
    options: [{value: new, label: New, default: true}, {value: working, label: Working}, {value: lost, label: Lost}]
  score: {type: number, label: Score, min: 0, max: 100}
  amount: {type: currency, label: Amount}
  chance: {type: percent, label: Chance}
  vip: {type: boolean, label: VIP}
  birthday: {type: date, label: Birthday}
  next_call: {type: datetime, label: Next call}
  interests:
    type: multiselect
    label: Interests
    options: [{value: aa, label: A}, {value: bb, label: B}]
  account: {type: lookup, label: Account, reference: api_account}
  assignee: {type: user, label: Assignee}
  serial: {type: autonumber, label: Serial, autonumberFormat: "L-{0000}"}
  settings: {type: json, label: Settings}
  fixed: {type: text, label: Fixed, readonly: true}
  secret: {type: text, label: Secret, permissions: {visible_to: [api_boss]}}
listViews:
  all: {label: All leads, columns: [name, status, amount], sort: "-created_at"}
permission_sets:
  api_sales:
    allowRead: [{field: owner, equals: $currentUser.id}]
    allowCreate: true
    allowEdit: [{field: owner, equals: $currentUser.id}]
  api_boss: {allowRead: true, allowCreate: true, allowEdit: true, allowDelete: true, allowExport: true}
"""
CLOSED = """
name: api_closed
label: Closed
sharingModel: public_read_write
enable: {apiEnabled: false}
fields:
  name: {type: text, label: Name}
"""
READABLE = """
name: api_readable
label: Readable
sharingModel: public_read_write
enable: {apiMethods: [get, list]}
fields:
  name: {type: text, label: Name}
"""
ALL = (ACCOUNT, LEAD, CLOSED, READABLE)
