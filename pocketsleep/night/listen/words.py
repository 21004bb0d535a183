"""Closed classes of English words that the rules look up."""

from __future__ import annotations


def bag(text: str) -> frozenset[str]:
    return frozenset(text.split())


KIN = bag(
    "wife husband partner spouse fiancé fiancée fiance fiancee girlfriend boyfriend ex "
    "mother father mum mam mom "
    "dad mummy daddy parents parent son sons daughter daughters child children kids kid "
    "baby twin twins boy boys "
    "girl girls brother brothers sister sisters sibling siblings grandmother grandfather "
    "grandma grandpa granny "
    "gran nan nana grandad granddad grandson grandsons granddaughter granddaughters grandchildren grandchild "
    "aunt auntie aunty uncle cousin cousins nephew nephews niece nieces stepmother stepfather stepson "
    "stepdaughter stepsister stepbrother half-brother half-sister mother-in-law father-in-law sister-in-law "
    "brother-in-law son-in-law daughter-in-law in-laws godmother godfather godson goddaughter godchild widow "
    "stepmum stepdad compadre comadre "
    "eldest youngest missus godparents great-aunt great-uncle great-gran great-grandad"
)
ROLES = bag(
    "boss landlord landlady tenant lodger flatmate housemate roommate neighbour neighbor "
    "neighbours friend friends "
    "mate colleague colleagues coworker co-worker manager supervisor assistant apprentice "
    "intern deputy partner "
    "doctor gp dentist hygienist vet nurse midwife surgeon consultant cardiologist physio physiotherapist "
    "therapist optician oncologist dermatologist specialist accountant bookkeeper lawyer "
    "solicitor notary agent "
    "broker editor publisher translator secretary receptionist teacher tutor professor lecturer headteacher "
    "principal head coach trainer captain instructor bandmaster conductor choirmaster "
    "bandleader drummer bassist "
    "guitarist singer pianist organist accompanist supplier wholesaler farrier blacksmith "
    "plumber electrician "
    "builder carpenter joiner roofer gardener cleaner cook chef baker barber hairdresser "
    "mechanic driver foreman "
    "caretaker architect contractor farmhand shepherd priest pastor vicar rabbi imam "
    "bishop abbot deacon penfriend "
    "client student pupil teammate team-mate mentor carer babysitter nanny childminder "
    "social-worker caseworker councillor godparent crewmate skipper stallholder beekeeper collaborator "
    "co-founder cofounder co-author investor pharmacist psychologist counsellor registrar"
)
SINGLE = bag(
    "wife husband spouse fiancé fiancée fiance fiancee girlfriend boyfriend mother father mum mam mom dad "
    "landlord landlady boss manager supervisor doctor gp dentist vet surgeon accountant bookkeeper solicitor "
    "notary lawyer bishop bandmaster conductor captain coach midwife publisher headteacher "
    "foreman choirmaster "
    "mother-in-law father-in-law assistant optician caretaker deacon farrier"
)
PETS = bag(
    "dog puppy pup bitch cat kitten tom tomcat horse pony mare gelding stallion foal "
    "donkey mule rabbit hamster "
    "gerbil ferret chinchilla tortoise turtle snake lizard gecko parrot budgie budgerigar "
    "cockatiel canary hen "
    "hens cockerel rooster goose geese duck ducks goat goats sheep ram ewe lamb cow bull "
    "heifer calf pig sow piglet "
    "llama alpaca falcon hawk owl lanner kestrel eagle pigeon whippet greyhound lurcher labrador lab spaniel "
    "terrier collie sheepdog alsatian dachshund poodle beagle boxer mastiff retriever "
    "setter pointer corgi pug "
    "bulldog rottweiler dobermann husky chihuahua cockapoo mongrel mutt tabby siamese "
    "persian bengal rat mouse "
    "guinea-pig goldfish fish bird bees hive hives axolotl hedgehog cob hunter shetland "
    "bullock oxen ox camel yak gander drake peahen peacock heeler vizsla weimaraner foxhound wolfhound deerhound saluki schnauzer "
    "pomeranian newfoundland samoyed akita malamute ridgeback staffie springer westie labradoodle tomcat moggy ragdoll cockatoo "
    "macaw finch mynah terrapin newt salamander skink iguana tarantula pullet bantam bantams turkey gilt boar nanny-goat"
)
THINGS = bag(
    "home house flat apartment room cottage cabin farm orchard garden allotment barn shed "
    "greenhouse yard field "
    "office shop store studio stall workshop bakery café cafe restaurant pub bar salon "
    "clinic surgery practice "
    "boat canoe kayak dinghy narrowboat yacht van car truck lorry bike bicycle motorbike "
    "scooter bakkie tractor "
    "caravan camper business company firm startup band choir team club orchestra quartet "
    "school college university "
    "class course degree thesis dissertation book novel website blog podcast museum "
    "gallery kiln oven loom lathe "
    "telescope camera piano violin cello viola guitar trumpet flute clarinet bassoon oboe "
    "accordion harp organ "
    "euphonium saxophone drum drums birthday anniversary name surname nickname address "
    "postcode allergy allergies "
    "blood group type size contract shift shifts lease rent rates fee price opening hours "
    "market fair roof bed "
    "wedding operation appointment mill cellar vineyard press pond nursery church parish chapel route round "
    "run session training language tongue hometown village town job employer department "
    "crew ward hair eyes routine ritual "
    "height weight shoe target dream goal hobby instrument sport keyboard laptop desktop phone mobile editor "
    "server scull hull single double quad tricycle"
)
VALUES = bag(
    "contract stock trade speciality specialty major subject routine ritual rule method "
    "workflow procedure birthday anniversary name surname nickname address postcode blood "
    "group type size height weight language "
    "tongue hometown job employer target hobby sport instrument rates fee price allergy allergies"
)
CONDITIONS = bag(
    "asthma diabetes epilepsy eczema arthritis osteoarthritis rheumatism migraine "
    "migraines coeliac celiac dyslexia "
    "dyspraxia dyscalculia adhd autism tinnitus vertigo cataract cataracts glaucoma psoriasis lupus gout "
    "parkinson's hypertension anaemia endometriosis fibromyalgia scoliosis sciatica hernia pacemaker stoma "
    "prosthesis implant allergy allergies intolerance phobia hypothyroidism thyroid insomnia aphantasia "
    "synaesthesia stammer stutter hemophilia haemophilia crohn's colitis ibs copd angina palsy sclerosis "
    "depression ptsd ocd bipolar raynaud's hip knee cochlear vitiligo rosacea lactose albinism"
)
STABLE = bag(
    "allergic intolerant vegetarian vegan pescatarian coeliac celiac diabetic asthmatic epileptic dyslexic "
    "dyspraxic autistic deaf blind colourblind colorblind colour-blind color-blind left-handed lefthanded "
    "right-handed ambidextrous lactose-intolerant gluten-intolerant teetotal married "
    "divorced widowed engaged "
    "retired self-employed freelance unemployed adopted bilingual trilingual jewish muslim "
    "christian catholic "
    "protestant buddhist hindu quaker sikh atheist agnostic orthodox anglican methodist bisexual gay lesbian "
    "transgender nonbinary short-sighted long-sighted nearsighted farsighted anaemic "
    "haemophiliac hypermobile "
    "welsh scottish irish english british french german spanish italian portuguese polish "
    "czech slovak romanian "
    "hungarian greek turkish dutch belgian danish swedish norwegian finnish icelandic russian ukrainian "
    "bulgarian serbian croatian slovenian estonian latvian lithuanian american canadian mexican brazilian "
    "argentinian chilean peruvian colombian australian nigerian ghanaian kenyan ethiopian egyptian moroccan "
    "indian pakistani bangladeshi nepali chinese japanese korean vietnamese thai filipino "
    "indonesian malaysian "
    "iranian iraqi lebanese syrian israeli kiwi basque catalan tone-deaf openweight"
)
IDENTITIES = bag(
    "nurse midwife vet doctor dentist surgeon architect mechanic chef cook coach judge priest monk nun nan "
    "deacon librarian musician electrician technician optician historian pharmacist "
    "florist journalist artist "
    "scientist pianist violinist cellist organist flautist bassist guitarist chemist physicist biologist "
    "geologist therapist dentist typist student apprentice pensioner widow widower vegan vegetarian coeliac "
    "diabetic pescatarian teetotaller orphan twin veteran refugee farmhand fisherman "
    "postman fireman policeman "
    "milkman foreman bargeman lifeboatman warden curate vicar pastor rabbi imam bookkeeper accountant lawyer "
    "solicitor notary clerk cobbler tailor potter weaver baker farmer teacher builder "
    "plumber welder carpenter "
    "joiner roofer driver painter printer tuner beekeeper shepherd gardener orchardist "
    "translator interpreter "
    "editor writer author poet actor conductor bellringer ringer swimmer rower runner cyclist climber sailor "
    "programmer developer engineer designer photographer lecturer professor researcher tutor trainer referee "
    "umpire arbiter paramedic dispatcher cleaner caretaker janitor waiter waitress barista bartender brewer "
    "grocer butcher fishmonger greengrocer stallholder shopkeeper trader dealer broker firefighter soldier "
    "pilot captain skipper mate stonemason mason glazier thatcher blacksmith farrier "
    "saddler luthier restorer "
    "archivist curator conservator registrar councillor magistrate barrister economist statistician "
    "mathematician linguist psychologist psychiatrist radiographer physio physiotherapist "
    "masseur hairdresser "
    "barber beautician deuteranope grandmother grandfather mother father bridesmaid "
    "godmother godfather novelist "
    "bellmaker clockmaker watchmaker cheesemaker winemaker candlemaker shoemaker "
    "cabinetmaker bookbinder engraver "
    "surveyor inspector ranger forester gamekeeper ecologist botanist entomologist astronomer meteorologist"
)

# Verbs whose plain present tense says something lasting of its subject.
LASTING = bag(
    "live stay work teach play study drive keep collect speak own run sell rent coach sing "
    "train volunteer ride "
    "breed raise rear grow brew bake paint tune fly row swim cycle commute share lead "
    "manage edit host foster mod "
    "farm fish hunt repair restore deal support attend belong coordinate conduct read write build make fix "
    "practise practice judge chair look umpire referee knit weave sew carve dance"
)
# Verbs that are kept only next to words of habit ("every morning", "on Fridays", "never").
HABITUAL = bag(
    "use take eat drink wear walk do go get start finish open close leave meet visit pay "
    "charge see sleep cook "
    "bring buy have weigh check write read sit stand push prune pick press water feed milk "
    "shear mow dig order "
    "book send call ring lock wash clean measure log record light order put give set wait "
    "say stop change store "
    "hold give move prefer avoid order dip soak boil toast grind add mix ferment born may "
    "must bottle turn oil"
)
NEGATED = bag(
    "eat drink smoke drive fly swim speak own cook read cycle ride vote gamble take wear use work have like "
    "celebrate want need collect do tolerate dance touch buy open keep sell"
)
UNABLE = bag(
    "eat drink stand bear swim drive read tolerate see hear climb reach digest smell taste "
    "tell walk run lift fly "
    "have take touch sing cook ride"
)
TASTE = bag("love like hate prefer loathe detest adore dislike enjoy fear")
ING_LASTING = bag(
    "learning studying training expecting retiring emigrating marrying adopting building "
    "restoring renovating "
    "designing planning writing running moving getting saving raising"
)
LIFE = bag(
    "grew moved married retired studied graduated qualified trained served worked lived taught drove played "
    "founded started opened bought inherited emigrated quit stopped adopted switched "
    "changed gave sold wrote built "
    "joined left became took got ran met kept sang swam learned learnt planted converted had did"
)
ADVERBS = bag(
    "always also still only never usually really actually currently mostly normally "
    "generally both now already "
    "often sometimes mainly occasionally rarely myself just all properly permanently even basically simply "
    "personally seldom typically then definitely certainly truly honestly proudly officially"
)
MONTHS = bag(
    "january february march april may june july august september october november december "
    "jan feb mar apr jun "
    "jul aug sep sept oct nov dec"
)
DAYS = bag(
    "monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays "
    "saturdays sundays mon tue tues wed weds thu thurs fri sat sun"
)
TITLES = bag(
    "Mr Mrs Ms Miss Mx Dr Prof Professor Father Sister Brother Maître Doña Don Auntie Aunt "
    "Aunty Uncle Sir Lady "
    "Rev Reverend Canon Señor Señora Madame Monsieur Frau Herr Captain Judge Oom Tante Nana Nan Granny Old"
)
NOT_NAMES = bag(
    "I I'm I've I'd I'll Im Ive English Welsh Scottish Irish British French German Spanish "
    "Italian Portuguese "
    "Polish Czech Russian Ukrainian Greek Turkish Dutch Danish Swedish Norwegian Finnish "
    "Chinese Japanese Korean "
    "Latin Arabic Hebrew American Canadian Australian Indian Christmas Easter Ramadan "
    "Diwali God OK Ok TV GP AI "
    "PhD MA BA A An The And But So Or If No Not Yes She He They It We My Our In On At For "
    "To Is Was Please Can "
    "Could Would Will What When Where Why How Who Also Then Now This That There Thanks "
    "Thank Hi Hello Facebook "
    "Google WhatsApp Excel Word Zoom Instagram YouTube Windows Linux Android iPhone"
)
INSTRUMENTS = bag(
    "piano violin cello viola guitar bass trumpet cornet flute clarinet bassoon oboe "
    "accordion harp organ euphonium saxophone "
    "sax drums tuba trombone horn banjo mandolin ukulele bagpipes concertina recorder "
    "percussion timpani vibraphone fiddle "
    "keyboard keyboards vocals soprano alto tenor baritone bells"
)
ENGAGEMENTS = bag(
    "meeting interview exam flight train match call deadline problem question colloquium "
    "conference idea plan trip booking "
    "feeling doubt look go chance minute moment visitor guest client customer issue error "
    "bug job choice ticket date party"
)
TRANSIENT_NOUNS = ENGAGEMENTS | bag(
    "fault turn answer excuse limit concern worry fear business day week morning evening "
    "mood brain head screen code file output "
    "build log draft message mail email letter point guess apologies thanks understanding "
    "impression mistake request task text "
    "list table question only last best version copy wish hope favour bad"
)
EVALUATIONS = bag(
    "mess joke disaster nightmare pain mystery shame pity lie dream saint genius hero "
    "devil angel monster loser fool idiot liar "
    "matter number bother goner stranger sucker failure winner beginner sinner fan bit lot "
    "wreck ghost zombie prisoner"
)
SAYING_VERBS = bag(
    "say think want need ask tell get go come make take know look seem feel have insist "
    "claim believe suggest wonder send write "
    "call wish hope reckon swear promise agree complain mean show give put find lose break "
    "start begin stop try keep let bring "
    "forget remember help be do turn leave arrive happen die fall"
)
